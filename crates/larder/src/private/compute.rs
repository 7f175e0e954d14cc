//! The calls of `read_through` that a cached function makes where there is more to do than a look.

use std::{future::Future, pin::pin};

use super::{call::Call, terms::Terms};
use crate::{
    cache::Cache,
    error_sharing::Sharing,
    policy::Policy,
    read_through::{self, Wanted},
    value::LocalValue,
};

/// Not an `async fn`, whose future would hold what it is given twice.
pub(super) fn compute<V, E, C: Cache + ?Sized>(
    call: Call<'_, C>,
    Terms { policy, wanted }: Terms,
    sharing: impl Sharing<E>,
    body: impl Future<Output = Result<V, E>>,
) -> impl Future<Output = Result<V, E>>
where
    V: LocalValue,
{
    let wanted = wanted.by(call.function()).or_error(sharing.kept_transport());
    async move {
        let (is_refreshing, terms) = (call.is_refreshing(), (&policy, wanted));
        let (at, missed) = call.into_parts();
        // Pinned here: all who pass it on hold a pointer.
        let body = pin!(body);
        if is_refreshing {
            return Box::pin(read_through::refresh(at, missed, terms, sharing, move || body)).await;
        }
        read_through::get_or_compute(at, missed, terms, sharing, move || body).await
    }
}

pub(super) async fn compute_background<V, E, C, F>(
    call: Call<'_, C>,
    Terms { policy, wanted }: Terms,
    sharing: impl Sharing<E>,
    start: impl FnOnce() -> F + Send,
) -> Result<V, E>
where
    C: Cache + ?Sized,
    V: LocalValue,
    E: Send + 'static,
    F: Future<Output = Result<V, E>> + Send + 'static,
{
    let wanted = wanted.by(call.function()).or_error(sharing.kept_transport());
    let (is_refreshing, terms) = (call.is_refreshing(), (&policy, wanted));
    let (at, missed) = call.into_parts();
    if is_refreshing {
        return read_through::refresh(at, missed, terms, sharing, start).await;
    }
    read_through::get_or_compute_background(at, missed, terms, sharing, start).await
}

pub(super) fn compute_blocking<V: LocalValue, E, C: Cache + ?Sized>(
    call: Call<'_, C>,
    (policy, wanted): (&Policy, Wanted),
    sharing: impl Sharing<E>,
    body: impl FnOnce() -> Result<V, E>,
) -> Result<V, E> {
    let wanted = wanted.by(call.function()).or_error(sharing.kept_transport());
    let (is_refreshing, terms) = (call.is_refreshing(), (policy, wanted));
    let (at, missed) = call.into_parts();
    if is_refreshing {
        return read_through::refresh_blocking(at, &missed, terms, sharing, body);
    }
    read_through::get_or_compute_blocking(at, missed, terms, sharing, body)
}
