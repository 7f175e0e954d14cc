//! The verbs that tell what became of a call.

use std::future::Future;

use crate::{
    cache::Cache,
    error_sharing::Sharing,
    outcome::{Observer, Outcome},
    policy::Policy,
    read_through::{self, Wanted, full_key, look_observed},
    value::LocalValue,
};

/// As [`look_or_compute`](super::compute::look_or_compute), with what became of the call.
pub(super) async fn look_or_compute_observed<V, E, C, S, Fut>(
    cache: &C,
    key: &str,
    (policy, wanted): (&Policy, Wanted),
    sharing: S,
    compute: impl FnOnce() -> Fut + Send,
) -> (Result<V, E>, Outcome)
where
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    Fut: Future<Output = Result<V, E>> + Send,
{
    let (key, observer) = (full_key(cache, key), Observer::new());
    let result = match look_observed(cache, &key, observer.clone()) {
        Ok(value) => Ok(value),
        Err(missed) => {
            let (at, terms) = ((cache, &*key), (policy, wanted));
            Box::pin(read_through::get_or_compute(at, missed, terms, sharing, compute)).await
        }
    };
    (result, observer.outcome())
}

/// The same on a thread.
pub(super) fn look_or_compute_observed_blocking<V: LocalValue, E>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    terms: (&Policy, Wanted),
    sharing: impl Sharing<E>,
    compute: impl FnOnce() -> Result<V, E>,
) -> (Result<V, E>, Outcome) {
    let (key, observer) = (full_key(cache, key), Observer::new());
    let result = look_observed(cache, &key, observer.clone()).or_else(|missed| {
        read_through::get_or_compute_blocking((cache, &*key), missed, terms, sharing, compute)
    });
    (result, observer.outcome())
}
