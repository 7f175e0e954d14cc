use larder::cached;

#[cached(ttl = 300, idle = "5m")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
