use larder::{CacheExt, MemoryCache};

async fn keep(cache: MemoryCache) -> larder::Result<()> {
    cache.insert("answer", &42, 60).await
}

fn main() {}
