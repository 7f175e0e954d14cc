use larder::limited;

#[limited(per = format!("ip:{id}"), rate = "100/min")]
async fn search(id: u64) -> Result<u64, larder::limit::Limited> {
    Ok(id)
}

fn main() {}
