//! Values whose time begins anew.

use super::{
    lookup::{find, read_one, within_ttl},
    request::{Wanted, memory_limit},
    storing::rewrite,
};
use crate::{
    cache::Cache,
    deferred, dependencies,
    entry::Lifetime,
    error::Result,
    key, panic_guard,
    policy::Policy,
    value::{AnyValue, LocalValue},
};

/// Begins the time of the fresh value under a full key anew; false if there is none. It stays as valid as it is.
pub(crate) async fn touch<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    (policy, wanted): (&Policy, Wanted),
) -> Result<bool> {
    key::check(key)?;
    // In a transaction nothing is stored.
    if deferred::is_current() {
        return Ok(false);
    }
    let (core, of) = (cache.core(), wanted.within(cache).of);
    let at = core.lookup(key);
    let mut found = within_ttl(find::<V>(cache, at));
    if found.is_none() && !of.is_local {
        found = within_ttl(read_one::<V>(cache, at, of).await);
    }
    let Some((entry, _)) = found else {
        dependencies::record_absent(core.epochs(), key);
        return Ok(false);
    };
    dependencies::record(core.epochs(), &entry.0);
    let is_none = entry.value::<V>().is_some_and(|value| of.is_none(value as &AnyValue));
    let lifetime = policy.lifetime(is_none);
    let limit = memory_limit(cache, policy, of);
    let life = Lifetime::new(core.now(), lifetime, policy).in_memory(core.now(), limit);
    let renewed = panic_guard::contain(|| entry.renewed::<V>(life)).flatten();
    let Some(renewed) = renewed.filter(|_| !lifetime.is_zero()) else { return Ok(false) };
    rewrite(cache, std::slice::from_ref(&renewed)).await;
    Ok(true)
}
