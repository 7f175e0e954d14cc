use larder::cached;

#[cached(ttl = 300, cache_err_if = |error| error.is_empty())]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
