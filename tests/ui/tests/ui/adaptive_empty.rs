use larder::cached;

#[cached(ttl = adaptive())]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
