use larder::cached;

#[derive(Debug, Clone)]
struct NotFound;

#[cached(ttl = 300, cache_err = 30)]
async fn user(id: u64) -> Result<u64, NotFound> {
    Ok(id)
}

fn main() {}
