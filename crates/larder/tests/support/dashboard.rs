//! A value that is computed from another one, and whether it goes when that one goes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{convert::Infallible, future::Future};

use larder::{CacheExt, MemoryCache, Policy, Scope, context};

use super::{in_time, long, secs};

pub(crate) type Done<T> = Result<T, Infallible>;

/// Computes "dashboard" by `body`, and tells for each scope whether invalidating it drops the value.
pub(crate) async fn dropped_by<F: Future<Output = ()> + Send>(
    cache: &MemoryCache,
    body: impl Fn() -> F + Sync,
    scope: impl Into<Scope>,
) -> bool {
    cache.invalidate("dashboard");
    let compute = || async {
        body().await;
        Done::Ok(())
    };
    in_time(cache.get_or_compute("dashboard", long(), compute)).await.unwrap();
    assert!(cache.contains("dashboard").await.unwrap(), "it was stored");
    cache.invalidate(scope.into());
    !cache.contains("dashboard").await.unwrap()
}

pub(crate) async fn user(cache: &MemoryCache) -> Done<u32> {
    let policy = Policy::builder().ttl(secs(60)).tag("org").build().unwrap();
    let compute = async || {
        context().tag("late");
        Ok(7)
    };
    cache.get_or_compute("user:7", policy, compute).await
}

pub(crate) fn scopes_of_user() -> [Scope; 5] {
    [Scope::key("user:7"), Scope::prefix("user"), Scope::tag("org"), Scope::tag("late"), Scope::all()]
}
