use larder::cached;

#[cached(ttl = 300, cache = "sessions")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
