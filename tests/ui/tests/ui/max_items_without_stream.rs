use larder::cached;

#[cached(ttl = 300, max_items = 100)]
async fn users(id: u64) -> Vec<u64> {
    vec![id]
}

fn main() {}
