//! How a cached function is called.

use std::future::Future;

use crate::{
    outcome::{self, Observed, Outcome, StreamOutcome},
    warm::{Warmed, warm},
};

/// How a cached function is called: a byte, of which a hit looks at no more than whether it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it was written.
    Plain,
    /// By `refresh`: it computes, whatever the cache has.
    Refresh,
    /// By `with_outcome`: it notes its outcome.
    Observed,
}

impl How {
    /// Whether it computes, whatever the cache has.
    #[must_use]
    pub fn is_refresh(self) -> bool {
        self == Self::Refresh
    }
}

/// A call that is asked for its outcome.
pub fn observed<F: Future>(call: impl FnOnce(How) -> F) -> Observed<F, Outcome> {
    outcome::observed(call(How::Observed))
}

/// Calls for many items, each of which is asked for its outcome.
pub async fn warmed<I, F: Future>(
    items: impl IntoIterator<Item = I>,
    concurrency: usize,
    mut call: impl FnMut(How, I) -> F,
) -> Warmed<F::Output> {
    warm(items, concurrency, |item| observed(|how| call(how, item))).await
}

/// A call for a list that is asked for the outcome of each element.
pub fn observed_many<F: Future>(call: impl FnOnce(How) -> F) -> Observed<F, Vec<Outcome>> {
    outcome::observed_many(call(How::Observed))
}

/// A call that is asked for its outcome, on this thread.
pub fn observed_blocking<R>(call: impl FnOnce(How) -> R) -> (R, Outcome) {
    outcome::observed_blocking(|| call(How::Observed))
}

/// A stream that is asked for its outcome.
pub fn observed_stream<S>(call: impl FnOnce(How) -> S) -> (S, StreamOutcome) {
    outcome::observed_stream(|| call(How::Observed))
}

/// The same of an async function.
pub fn observed_async_stream<F: Future>(call: impl FnOnce(How) -> F) -> Observed<F, StreamOutcome> {
    outcome::observed_async_stream(call(How::Observed))
}
