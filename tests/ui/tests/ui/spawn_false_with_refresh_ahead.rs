use larder::cached;

#[cached(ttl = 300, refresh_ahead = 0.8, spawn = false)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
