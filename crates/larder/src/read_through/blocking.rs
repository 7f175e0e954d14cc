//! Threads: the same states, driven by a thread that is blocked while it waits.

use super::{
    call_deadline::Fallback,
    computation::Computation,
    lookup::{Missed, find_kept},
    request::{AnyKey, Request, Wanted},
};
use crate::{
    block_on::block_on, cache::Cache, dependencies, error_sharing::Sharing, policy::Policy, value::LocalValue,
};

/// As [`get_or_compute`](super::get_or_compute). The computation runs on the calling thread, from its beginning to its
/// end.
pub(crate) fn get_or_compute_blocking<V, E, C, S>(
    at: (&C, impl AnyKey),
    missed: Missed,
    terms: (&Policy, Wanted),
    sharing: S,
    compute: impl FnOnce() -> Result<V, E>,
) -> Result<V, E>
where
    V: LocalValue,
    C: Cache + ?Sized,
    S: Sharing<E>,
{
    if let Some(error) = find_kept(at.0, &missed, sharing) {
        return Err(error);
    }
    let Some(request) = Request::open(at, &missed, terms, sharing) else {
        return dependencies::bypass_blocking(compute);
    };
    match begin(&request, missed) {
        Ok(computation) => request.compute_blocking(computation, compute),
        Err(result) => result,
    }
}

/// Waits until there is something to compute; a result that comes first is the `Err`.
#[inline(never)]
fn begin<V, E, C, S>(request: &Request<'_, C, S>, missed: Missed) -> Result<Computation, Result<V, E>>
where
    V: LocalValue,
    C: Cache + ?Sized,
    S: Sharing<E>,
{
    let nested_in = dependencies::current_in_flight();
    // A thread has no timer, and no deadline.
    let fallback = Fallback::default();
    let plan = request.plan(missed.into_value(), (&fallback, request.patience()));
    let plan = request.span.clone().wrap(request.watch.run(plan));
    let mut planned = block_on(Box::pin(plan))?;
    let stale = planned.take_stale();
    Ok(request.begin(planned, stale, nested_in))
}

/// As [`refresh`](super::refresh).
pub(crate) fn refresh_blocking<V, E, C>(
    at: (&C, impl AnyKey),
    missed: &Missed,
    terms: (&Policy, Wanted),
    sharing: impl Sharing<E>,
    compute: impl FnOnce() -> Result<V, E>,
) -> Result<V, E>
where
    V: LocalValue,
    C: Cache + ?Sized,
{
    let Some(request) = Request::open(at, missed, terms, sharing) else {
        return dependencies::bypass_blocking(compute);
    };
    request.compute_blocking(request.replacing(), compute)
}
