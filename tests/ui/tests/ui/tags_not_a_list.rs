use larder::cached;

#[cached(ttl = 300, tags = "org")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
