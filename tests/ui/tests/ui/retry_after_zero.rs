use larder::cached;

#[cached(ttl = 300, stale_if_error = "1h", retry_after = 0)]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
