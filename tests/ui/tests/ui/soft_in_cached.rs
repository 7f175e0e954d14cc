use larder::cached;

#[cached(soft, ttl = 300)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
