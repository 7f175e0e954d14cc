use larder::cached;

#[cached(ttl = 300, or = 0)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
