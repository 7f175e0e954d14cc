use larder::cached;

#[cached(ttl = 300, negative_ttl = 0)]
async fn user(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
