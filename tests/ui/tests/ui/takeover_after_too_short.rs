use larder::cached;

#[cached(ttl = 300, takeover_after = "5ms")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
