//! Reads that count as nothing, for `larder-http`: it looks at entries that it may not serve, and knows by itself
//! what became of a request.

use crate::{cache::Cache, typed, value::Value};

/// The value under a key, whoever is given it.
pub async fn find<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    typed::find_uncounted(cache, key).await
}

/// The value under a key, if it can be had without waiting.
pub fn find_near<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    typed::find_near(cache, key)
}

/// Somebody was given what was found: `fresh`, or past its time.
pub fn count_served(cache: &dyn Cache, fresh: bool) {
    cache.core().count_served(fresh);
}
