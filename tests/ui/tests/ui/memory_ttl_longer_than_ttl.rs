use larder::cached;

#[cached(ttl = 300, memory_ttl = "5m")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
