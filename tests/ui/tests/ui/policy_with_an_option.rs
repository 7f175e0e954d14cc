use std::time::Duration;

use larder::{CacheExt, MemoryCache, Policy};

async fn keep(cache: MemoryCache) -> larder::Result<()> {
    let minute = Duration::from_secs(60);
    cache.insert("answer", &42, Policy::ttl(minute).stale_while_revalidate(minute)).await
}

fn main() {}
