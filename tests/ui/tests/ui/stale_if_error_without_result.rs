use larder::cached;

#[cached(ttl = 300, stale_if_error = "1h")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
