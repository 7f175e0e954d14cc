use larder::cached;

#[cached(ttl = 300, or = "absent")]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
