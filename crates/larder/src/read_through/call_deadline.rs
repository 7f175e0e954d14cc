//! Calls that are answered by a deadline, whatever becomes of their computations.

use std::{future::Future, sync::OnceLock};

use tokio::runtime::Handle;

use super::request::Request;
use crate::{
    alarm, cache::Cache, dependencies, entry::Entry, error::TimedOut, error_sharing::Sharing,
    outcome::NotStored, value::LocalValue,
};

/// What a call that has a deadline may be answered with when that has passed.
#[derive(Default)]
pub(super) struct Fallback(OnceLock<Entry>);

impl Fallback {
    /// An old value was found.
    pub(super) fn note(&self, stale: Option<&Entry>) {
        if let Some(entry) = stale {
            // The first one is as good as any: each is judged when it is served.
            let _ = self.0.set(entry.clone());
        }
    }
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// The answer to a call, or by its deadline, the old value or an error. What the call was about is dropped by then: if
    /// it computes for others too, one of them goes on. Outside of a runtime there is no deadline.
    pub(super) async fn by_deadline<V, E>(
        &self,
        call: impl Future<Output = Result<V, E>>,
        fallback: &Fallback,
    ) -> Result<V, E>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let deadline = self.policy.deadline.filter(|_| Handle::try_current().is_ok());
        let Some((deadline, error)) = deadline.zip(self.sharing.timed_out()) else { return call.await };
        // In a box: most calls have no deadline. By the alarm: not every runtime has timers.
        if let Some(answer) = Box::pin(alarm::within(deadline, call)).await {
            return answer;
        }
        let stale = fallback.0.get();
        // A source that does not answer in time has failed its callers, whatever becomes of it.
        self.note_failure(stale);
        if let Some(value) = stale.and_then(|entry| self.serve_if_usable(entry)) {
            return Ok(value);
        }
        self.observer.computed(Some(NotStored::Failed));
        // What is computed from the error depends on what the value would have been.
        dependencies::record_scopes(self.core().epochs(), || self.scopes.clone());
        Err(error(TimedOut::after(deadline)))
    }
}
