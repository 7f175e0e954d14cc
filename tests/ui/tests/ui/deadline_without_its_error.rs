use larder::cached;

#[cached(ttl = 300, deadline = "2s")]
async fn user(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

fn main() {}
