use std::time::Duration;

use larder::{CacheExt, MemoryCache, Policy};

async fn keep(cache: MemoryCache) -> Result<u8, String> {
    let policy = Policy::builder().ttl(Duration::from_secs(60)).tag("answers").build();
    cache.get_or_compute("answer", policy, async || Ok(42)).await
}

fn main() {}
