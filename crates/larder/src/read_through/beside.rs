//! A computation that stores its value itself, under another key than its own.

use std::future::Future;

use super::{
    lookup::{full_key, look_observed},
    request::Wanted,
    single::get_or_compute,
};
use crate::{cache::Cache, error_sharing::Unshared, outcome::Observer, policy::Policy, value::Value};

/// As `get_or_compute` with the key `own`, where what is computed is stored under `key` by the computation itself: events
/// tell of that one.
pub(crate) async fn compute_beside<V, E, C, F, Fut>(
    cache: &C,
    (key, own): (&str, &str),
    policy: &Policy,
    compute: F,
) -> Result<V, E>
where
    V: Value,
    C: Cache + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let (own, key) = (full_key(cache, own), full_key(cache, key));
    let missed = match look_observed(cache, &own, Observer::standing_for((&*key).into())) {
        Ok(value) => return Ok(value),
        Err(missed) => missed,
    };
    let terms = (policy, Wanted::shared::<V>(policy));
    Box::pin(get_or_compute((cache, &*own), missed, terms, Unshared, compute)).await
}
