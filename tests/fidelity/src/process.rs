//! The processes' connections.

use larder::{MemoryCache, RedisCache, TieredCache};
use larder_tests::caches::patient;

use crate::codecs::With;

/// A cache that shares its entries with those of the same name.
///
/// # Panics
///
/// If the server is not there.
pub async fn connect(url: &str, name: &str, with_codec: With) -> TieredCache {
    let redis = patient(RedisCache::builder().url(url)).prefix(format!("fidelity-{name}"));
    let redis = with_codec(redis);
    TieredCache::new(MemoryCache::new(100_000), redis.connect().await.expect("the server is up"))
}
