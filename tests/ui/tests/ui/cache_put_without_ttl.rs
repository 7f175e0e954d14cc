use larder::cache_put;

#[cache_put(key = "user:<id>")]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
