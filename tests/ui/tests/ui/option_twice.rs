use larder::cached;

#[cached(ttl = 300, ttl = 400)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
