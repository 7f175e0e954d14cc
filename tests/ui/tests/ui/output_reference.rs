use larder::cached;

#[cached(ttl = 300)]
async fn user(id: u64) -> Result<&'static str, u8> {
    Err(id as u8)
}

fn main() {}
