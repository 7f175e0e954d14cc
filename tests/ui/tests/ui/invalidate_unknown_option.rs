use larder::invalidate;

#[invalidate("user:<id>", ttl = 5)]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
