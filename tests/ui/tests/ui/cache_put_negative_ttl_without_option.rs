use larder::cache_put;

#[cache_put(ttl = 300, key = "user:<id>", negative_ttl = 10)]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
