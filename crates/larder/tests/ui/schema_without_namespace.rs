use larder::cached;

#[cached(ttl = 300, schema = 2)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
