use larder::cache_put;

#[cache_put(ttl = 300, key = "user:<result>")]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
