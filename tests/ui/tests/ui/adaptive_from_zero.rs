use larder::cached;

#[cached(ttl = adaptive(0..=3600))]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
