use larder::cached;

#[cached(ttl = 300, stale_while_revalidate = 0)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
