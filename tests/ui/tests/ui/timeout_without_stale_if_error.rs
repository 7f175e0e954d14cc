use larder::cached;

#[cached(ttl = 300, timeout = "200ms")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
