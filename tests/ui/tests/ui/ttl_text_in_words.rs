use larder::cached;

#[cached(ttl = "1 minute")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
