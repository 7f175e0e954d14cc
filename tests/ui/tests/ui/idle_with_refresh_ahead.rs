use larder::cached;

#[cached(ttl = 300, idle = 60, refresh_ahead = 0.8)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
