use larder::cached;

#[cached(ttl = 300, memory_ttl = 10, local)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
