use larder::cached;

#[cached(ttl = u64::MAX)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
