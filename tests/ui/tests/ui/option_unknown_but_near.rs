use larder::cached;

#[cached(tll = 300, ttl = 300)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
