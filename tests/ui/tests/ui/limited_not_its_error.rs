use larder::limited;

#[limited(per = "ip:<id>", rate = "100/min")]
async fn search(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

fn main() {}
