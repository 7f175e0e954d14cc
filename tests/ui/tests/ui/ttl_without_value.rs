use larder::cached;

#[cached(ttl)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
