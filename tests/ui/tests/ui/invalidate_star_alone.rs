use larder::invalidate;

#[invalidate("*")]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
