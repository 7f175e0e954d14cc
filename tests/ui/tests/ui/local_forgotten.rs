use std::sync::Arc;

use larder::cached;

struct Index(Vec<f64>);

#[cached(ttl = 300)]
async fn index(id: u64) -> Arc<Index> {
    let _ = id;
    Arc::new(Index(Vec::new()))
}

fn main() {}
