//! The bodies of reads that look at more than one value, or at more than a value.

use std::time::Duration;

use crate::{
    cache::Cache,
    dependencies,
    error::Result,
    key,
    read_through::{full_key, get_many_missing, look, look_at},
    value::Value,
};

/// The values under keys, in their order.
pub(super) async fn get_many<V: Value>(
    cache: &(impl Cache + ?Sized),
    keys: &[impl AsRef<str> + Sync],
) -> Result<Vec<Option<V>>> {
    let keys: Vec<_> = keys.iter().map(|key| full_key(cache, key.as_ref())).collect();
    let mut values: Vec<_> = keys.iter().map(|key| look(cache, key)).collect();
    let missed =
        keys.iter().zip(&mut values).filter_map(|(key, value)| Some((&**key, value.as_ref().err()?.clone())));
    let mut found = get_many_missing(cache, missed.collect()).await?.into_iter();
    Ok(values.into_iter().map(|value| value.ok().or_else(|| found.next().flatten())).collect())
}

/// How long the value under a key is still fresh.
pub(super) async fn remaining_ttl(cache: &(impl Cache + ?Sized), key: &str) -> Result<Option<Duration>> {
    let key = full_key(cache, key);
    key::check(&key)?;
    let core = cache.core();
    match look_at(cache, &key).await {
        Some(entry) => {
            dependencies::record(core.epochs(), &entry.0);
            Ok(Some(entry.0.remaining(core.now())))
        }
        None => {
            dependencies::record_absent(core.epochs(), &key);
            Ok(None)
        }
    }
}
