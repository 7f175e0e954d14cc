//! Storing a value that is at hand.

use crate::{
    cache::Cache,
    dependencies,
    entry::{Cover, Entry},
    epoch::Since,
    error::Result,
    key, none,
    policy::Policy,
    scope::{self, ScopeHash},
    typed::Value,
};

/// Replaces what is under a full key by a value that was read after `since`.
pub(crate) async fn insert<V: Value>(
    cache: &(impl Cache + ?Sized),
    since: Since,
    key: &str,
    value: &V,
    policy: &Policy,
) -> Result<()> {
    key::check(key)?;
    let core = cache.core();
    let own = scope::covering(key, &policy.tags);
    let mut cover = match dependencies::current() {
        Some(frame) => frame.cover(own, core.epochs()),
        None => Cover { since, scopes: own, elsewhere: Vec::new() },
    };
    // What was read from caches earlier in the computation is as old as its beginning.
    cover.since = since.min(cover.since);

    let stands = || !cover.is_too_wide() && cover.unchanged(core.epochs());
    let replaced = core.replace(ScopeHash::key(key), stands);
    let lifetime = policy.lifetime(none::is_none(value));
    match replaced {
        None if cover.is_too_wide() => core.count(|counters| &counters.stores_too_wide),
        None => core.count(|counters| &counters.stores_outdated),
        Some(_) if lifetime.is_zero() => {}
        Some(since) => {
            let at = core.lookup(key);
            let lives = (core.now(), lifetime);
            let entry =
                Entry::new((key.into(), at.hash), value.clone(), lives, policy, Cover { since, ..cover });
            cache.write(&[entry]).await;
            core.count(|counters| &counters.stores);
        }
    }
    Ok(())
}
