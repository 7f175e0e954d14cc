use larder::cached;

#[cached(ttl = 300, deadline = "2s")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
