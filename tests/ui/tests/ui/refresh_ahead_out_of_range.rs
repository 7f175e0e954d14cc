use larder::cached;

#[cached(ttl = 300, refresh_ahead = 80)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
