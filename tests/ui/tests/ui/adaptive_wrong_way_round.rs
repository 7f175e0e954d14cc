use larder::cached;

#[cached(ttl = adaptive("1h"..="30s"))]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
