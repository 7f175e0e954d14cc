//! The prologue of `get_or_compute`: a hit needs no box.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    cache::Cache,
    error::Result,
    error_sharing::Sharing,
    panic_guard,
    policy::Policy,
    read_through::{self, Wanted, full_key, look},
    value::LocalValue,
};

/// The value under a key: of a lookup, or from everything else there is, in a box of its own. `wanted` is called only then:
/// a hit need not know.
pub(super) async fn look_or_compute<V, E, C, S, Fut>(
    cache: &C,
    key: &str,
    (policy, wanted): (&Policy, fn(&Policy) -> Wanted),
    sharing: S,
    compute: impl FnOnce() -> Fut + Send,
) -> Result<V, E>
where
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    Fut: Future<Output = Result<V, E>> + Send,
{
    let key = full_key(cache, key);
    match look(cache, &key) {
        Ok(value) => Ok(value),
        Err(missed) => {
            warn_if_spawning(policy);
            let wanted = wanted(policy).or_error(sharing.kept_transport());
            let (at, terms) = ((cache, &*key), (policy, wanted));
            Box::pin(read_through::get_or_compute(at, missed, terms, sharing, compute)).await
        }
    }
}

/// Says once that a computation which borrows from its caller is no task.
pub(super) fn warn_if_spawning(policy: &Policy) {
    // No `Once`: a subscriber that panics would poison it.
    static SAID: AtomicBool = AtomicBool::new(false);
    if policy.spawn && !SAID.swap(true, Ordering::Relaxed) {
        panic_guard::report!(
            warn,
            "a policy with `spawn` is used where computations may borrow from their callers, and so end with \
             them: use `get_or_compute_background`"
        );
    }
}
