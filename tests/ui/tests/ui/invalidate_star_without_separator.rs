use larder::invalidate;

#[invalidate("user:<id>*")]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
