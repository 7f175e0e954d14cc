use larder::cached;

#[cached(ttl = 300, deadline = "2s")]
fn user(id: u64) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    Ok(id)
}

fn main() {}
