//! What was invalidated is not served again, from the moment on at which the call returns.

use std::time::Duration;

use super::trial::{LONG, Trial};
use crate::{Cache, CacheExt, Policy, Scope};

pub(super) async fn every_scope_is_applied_at_once(trial: &Trial) {
    let cache = &trial.cache;
    let key = trial.key("a:b:c");
    let tagged = Policy::builder().ttl(Duration::from_secs(3_600)).tag(trial.tag("tag")).build();
    let tagged = tagged.expect("a `ttl` is all it takes");
    let scopes = [
        Scope::key(&key),
        Scope::prefix(trial.key("a:b")),
        Scope::prefix(trial.key("a")),
        Scope::prefix(&trial.own),
        Scope::tag(trial.tag("tag")),
        Scope::all(),
    ];
    for polled in [true, false] {
        for scope in &scopes {
            trial.keep(&key, &1_u32, &tagged).await;
            let invalidating = cache.invalidate(scope);
            match polled {
                true => drop(invalidating.await),
                false => drop(invalidating),
            }
            gone(trial, cache, &key, format_args!("{scope:?}, awaited: {polled}")).await;
        }
        let several = [Scope::key(trial.key("other")), Scope::tag(trial.tag("tag"))];
        trial.keep(&key, &1_u32, &tagged).await;
        drop(cache.invalidate(several));
        gone(trial, cache, &key, "the second of two scopes").await;
    }
    trial.keep(&key, &2_u32, &tagged).await;
}

async fn gone(trial: &Trial, by: &impl Cache, key: &str, what: impl std::fmt::Display) {
    let served = trial.get::<u32>(by, key).await.is_some() || by.contains(key).await.unwrap_or(true);
    trial.require(!served, format_args!("{key:?} is served after it was invalidated: {what} (clause 3)"));
}

pub(super) async fn every_handle_invalidates(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("key"));
    let (shared, object) = (cache.share(), cache as &dyn Cache);
    trial.keep(&key, &1_u32, &LONG).await;
    drop(shared.invalidate(&key));
    gone(trial, cache, &key, "through `share`").await;
    trial.keep(&key, &1_u32, &LONG).await;
    drop(object.invalidate(&key));
    gone(trial, &shared, &key, "through `dyn Cache`").await;
    trial.keep(&key, &1_u32, &LONG).await;
    cache.core().apply([Scope::key([cache.prefix(), &key].concat()).hash()]);
    gone(trial, cache, &key, "applied to the core, as a message from another process would").await;
}

pub(super) async fn namespaces_are_parts(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("key"));
    let namespace = cache.namespace(&trial.own);
    trial.keep(&key, &1_u32, &LONG).await;
    let found = trial.get::<u32>(&namespace, "key").await;
    trial.require(found.is_none_or(|found| found == 1), "a namespace's entry is not the cache's");
    drop(namespace.invalidate("key"));
    gone(trial, cache, &key, "through a namespace").await;
    trial.keep(&key, &1_u32, &LONG).await;
    drop(namespace.bump());
    gone(trial, cache, &key, "by a namespace's `bump`").await;
    trial.keep(&key, &1_u32, &LONG).await;
    drop(namespace.namespace("inner").bump());
    let found = trial.get::<u32>(cache, &key).await;
    trial.require(found.is_none_or(|found| found == 1), "a namespace's `bump` changed a value");
}

pub(super) async fn a_value_read_before_is_not_stored_after(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("a:b"));
    for scope in [Scope::key(&key), Scope::prefix(trial.key("a")), Scope::all()] {
        let since = cache.begin();
        drop(cache.invalidate(&scope));
        let stored = cache.insert_since(since, &key, &1_u32, &LONG).await;
        trial.require(stored.is_ok(), "`insert_since` fails (clause 4)");
        gone(trial, cache, &key, format_args!("{scope:?}, before `insert_since`")).await;
    }
}

pub(super) async fn what_is_marked_is_not_fresh(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("a:b"));
    let policy =
        Policy::builder().ttl(Duration::from_secs(3_600)).stale_while_revalidate(Duration::from_secs(60));
    let policy = policy.tag(trial.tag("tag")).build().expect("a `ttl` is all it takes");
    let scopes =
        [Scope::key(&key), Scope::prefix(trial.key("a")), Scope::tag(trial.tag("tag")), Scope::all()];
    for (number, scope) in (1_u32..).zip(&scopes) {
        trial.keep(&key, &number, &policy).await;
        drop(cache.mark_stale(scope));
        gone(trial, cache, &key, format_args!("softly: {scope:?}")).await;
        // The old value, or a new one.
        let served = cache.get_or_compute(&key, &policy, async || Err::<u32, _>("nothing")).await;
        let is_right = served.is_err() || served == Ok(number);
        trial.require(is_right, "another value is served than the one that was marked");
        drop(cache.invalidate(scope));
        let served = cache.get_or_compute(&key, &policy, async || Err::<u32, _>("nothing")).await;
        trial.require(served.is_err(), "what was marked, and then invalidated, is served (clause 3)");
    }
}
