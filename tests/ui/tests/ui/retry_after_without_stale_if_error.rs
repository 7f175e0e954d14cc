use larder::cached;

#[cached(ttl = 300, retry_after = "5s")]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
