use larder::cached;

#[cached(ttl = 300, cache_err = 30, local)]
async fn user(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

fn main() {}
