use larder::cached;

#[cached(ttl = 300, cache_err = 30, stale_if_error = "1h")]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
