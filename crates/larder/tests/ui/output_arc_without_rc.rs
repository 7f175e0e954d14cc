use std::sync::Arc;

use larder::cached;

// `serde` is without its feature `rc` here.
#[cached(ttl = 300)]
async fn user(id: u64) -> Arc<u64> {
    Arc::new(id)
}

fn main() {}
