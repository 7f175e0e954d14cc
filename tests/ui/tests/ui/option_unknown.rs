use larder::cached;

#[cached(ttl = 300, priority = 10)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
