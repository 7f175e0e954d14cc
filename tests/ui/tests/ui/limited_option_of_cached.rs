use larder::limited;

#[limited(per = "ip:<id>", rate = "100/min", ttl = 60)]
async fn search(id: u64) -> Result<u64, larder::limit::Limited> {
    Ok(id)
}

fn main() {}
