use larder::limited;

#[limited("100/min", per = "ip:<id>")]
async fn search(id: u64) -> Result<u64, larder::limit::Limited> {
    Ok(id)
}

fn main() {}
