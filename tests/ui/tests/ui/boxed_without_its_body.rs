use larder::cached;

use std::pin::Pin;

async fn load(id: u64) -> u64 {
    id
}

#[cached(ttl = 300)]
fn user(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(load(id))
}

fn main() {}
