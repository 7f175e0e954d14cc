//! The processes' connections.

use larder::{Codec, MemoryCache, RedisCache, TieredCache};
use larder_tests::caches::patient;

/// A cache that shares its entries with those of the same name.
///
/// # Panics
///
/// If the server is not there.
pub async fn connect(url: &str, name: &str, codec: Codec) -> TieredCache {
    let redis = patient(RedisCache::builder().url(url)).prefix(format!("fidelity-{name}")).codec(codec);
    TieredCache::new(MemoryCache::new(100_000), redis.connect().await.expect("the server is up"))
}
