use larder::limited;

#[limited(per = "ip:<id>", rate = id)]
async fn search(id: u64) -> Result<u64, larder::limit::Limited> {
    Ok(id)
}

fn main() {}
