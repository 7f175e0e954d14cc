use larder::cached;

#[cached(ttl = 300, key = KEY)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
