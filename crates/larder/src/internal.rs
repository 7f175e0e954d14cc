//! Reads that count as nothing, for `larder-http`: it looks at entries that it may not serve, and counts by itself
//! what became of a request.

use crate::{cache::Cache, dependencies, read_through, scope, value::Value};

/// The value under a key, also if it is not served afterwards.
pub async fn find<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_uncounted(cache, key).await
}

/// The value under a key, if it can be had without waiting.
pub fn find_local<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_local(cache, key)
}

/// Counts what was served to a caller: `fresh`, or past its time.
pub fn count_served(cache: &dyn Cache, fresh: bool) {
    cache.core().count_served(fresh);
}

/// Whether a value that the running computation gave now would be stored under this full key, at once or with
/// `insert`: not if it decided otherwise, if more scopes cover the value than an entry can have, or if anything of them
/// was invalidated since the computation began. True outside of computations.
pub fn would_store(cache: &dyn Cache, key: &str) -> bool {
    dependencies::current().is_none_or(|frame| {
        let decisions = frame.decisions();
        let epochs = cache.core().epochs();
        let cover = frame.cover(scope::covering(key, &decisions.tags), epochs);
        !decisions.no_store
            && decisions.ttl.is_none_or(|ttl| !ttl.is_zero())
            && !cover.is_too_wide()
            && cover.unchanged(epochs)
    })
}
