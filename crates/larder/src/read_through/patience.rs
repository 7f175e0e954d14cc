//! How long a call waits for others while it has an old value: `timeout`.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::request::Request;
use crate::{alarm, cache::Cache, clock::instant_after, entry::Entry, value::LocalValue};

/// The moment until which a call with an old value waits, whatever it waits for one after the other; none if it waits as
/// long as that takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Option<Instant>);

impl Patience {
    /// It begins now.
    pub(super) fn begin(timeout: Option<Duration>) -> Self {
        Self(timeout.map(instant_after))
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Of this call, from now on. A thread has no timer.
    pub(super) fn patience(&self) -> Patience {
        Patience::begin(self.policy.timeout.filter(|_| !self.wanted.blocks))
    }

    /// Waits for a future; no longer than the call has patience if there is a stale value that may still be served then,
    /// which is the `Err`.
    pub(super) async fn unless_slow<V: LocalValue, T>(
        &self,
        future: impl Future<Output = T>,
        patience: Patience,
        stale: Option<&Entry>,
    ) -> Result<T, V> {
        let mut future = pin!(future);
        // Outside of a runtime there is no limit; and not every runtime has timers.
        let limit = patience.left().filter(|_| Handle::try_current().is_ok());
        if let (Some(limit), Some(entry)) = (limit, stale) {
            if let Some(output) = alarm::within(limit, &mut future).await {
                return Ok(output);
            }
            if let Some(value) = self.serve_if_usable(entry) {
                return Err(value);
            }
        }
        Ok(future.await)
    }
}
