use larder::cached;

#[cached(ttl = 300, stale_while_revalidate = "1h", retry_after = "5s")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
