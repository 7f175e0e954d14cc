use larder::cached;

#[cached(ttl = 300, stale_if_error = "0s")]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
