use larder::cached;

#[cached(ttl = 300, cache_err = 0)]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
