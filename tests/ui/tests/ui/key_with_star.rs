use larder::cached;

#[cached(ttl = 300, key = "user:<id>:*")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
