//! Where entries live, and what anything that keeps them has to promise.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    core::{Core, Lookup},
    entry::Entry,
    epoch::Epoch,
    error::Result,
    scope::Scope,
};

/// Where entries live: in memory, on a server, or wherever an implementation puts them.
///
/// The verbs for users are those of [`CacheExt`](crate::CacheExt), which every `Cache` has; this trait is
/// for those who keep entries. It is object-safe. All keys here are full keys: what a namespace puts in
/// front is in them.
///
/// # Contract
///
/// 1. [`core`](Self::core) is the same [`Core`] for the whole life of the cache, its clones and its
///    namespaces.
/// 2. The cache may lose any entry at any time, and may return one that was replaced or invalidated: the
///    caller judges each entry by the one rule. It must never return an entry under another key, nor one
///    with a changed value, stamp or scopes.
/// 3. [`apply`](Self::apply) calls [`Core::apply`] before it returns, not when its future is polled, and
///    dropping the future undoes nothing.
/// 4. No method fails or hangs because a server does: what cannot be read is a miss, what cannot be
///    written is dropped. The counters are the exception, and say so.
/// 5. The cache is bounded. What it drops it tells with [`Core::forget`], before or soon after.
/// 6. Dropping a future of this trait leaves every entry as it was, or as the call would have made it.
///
/// `larder::contract::check`, with the feature `test-util`, runs any implementation through these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a cache",
    label = "not a `Cache`",
    note = "a cache is a `MemoryCache`, a `Namespace`, what `named(\"…\")` or `global()` gives, or a reference, a \
            `Box` or an `Arc` of a cache; of a `LazyLock` of one, write `*CACHE`"
)]
#[async_trait]
pub trait Cache: Send + Sync {
    /// What makes this cache the cache it is.
    fn core(&self) -> &Core;

    /// A handle to the same cache that can be kept: for computations that outlive their callers.
    fn share(&self) -> Arc<dyn Cache>;

    /// What is put in front of every key that is used with this handle: empty but for namespaces.
    fn prefix(&self) -> &str {
        ""
    }

    /// The entry under this key, if it can be had without waiting.
    ///
    /// Called for one in 64 of the hits that a near table answered too, so that the cache's idea of what
    /// is used stays true.
    fn peek(&self, at: Lookup<'_>) -> Option<Entry>;

    /// Keeps these entries, each in place of what was under its key.
    async fn write(&self, entries: &[Entry]);

    /// Invalidates: applies it here and now, and tells others.
    fn apply(&self, scopes: &[Scope]) -> Invalidating;

    /// Adds `by` to the counter of this key, which starts at 0, and returns the sum; adding 0 reads it.
    /// A counter that this call makes ends after `ttl`; later calls do not prolong it.
    ///
    /// # Errors
    ///
    /// If the sum would leave the range of `i64` (the counter keeps its value).
    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64>;
}

/// Passes all of [`Cache`] on to what a pointer points to.
macro_rules! forward {
    ($($pointer:ty),+) => {$(
        #[async_trait]
        impl<C: Cache + ?Sized> Cache for $pointer {
            #[inline]
            fn core(&self) -> &Core {
                (**self).core()
            }

            fn share(&self) -> Arc<dyn Cache> {
                (**self).share()
            }

            #[inline]
            fn prefix(&self) -> &str {
                (**self).prefix()
            }

            fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
                (**self).peek(at)
            }

            async fn write(&self, entries: &[Entry]) {
                (**self).write(entries).await;
            }

            fn apply(&self, scopes: &[Scope]) -> Invalidating {
                (**self).apply(scopes)
            }

            async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
                (**self).count(key, by, ttl).await
            }
        }
    )+};
}

forward!(&C, Box<C>, Arc<C>);

/// How far an invalidation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// It is done: here, and (where there is a log) in the log, at this epoch. A cache without a log
    /// says [`Epoch::ZERO`].
    Delivered(Epoch),
    /// It is done here, and waits to be told to the others.
    Queued,
}

/// An invalidation: done in this process already, and on its way to the others.
///
/// Awaiting it tells how far it has come. Dropping it undoes nothing.
pub struct Invalidating(State);

enum State {
    Done(Invalidation),
    UnderWay(Pin<Box<dyn Future<Output = Invalidation> + Send>>),
}

impl Invalidating {
    /// One that is over.
    #[must_use]
    pub fn done(outcome: Invalidation) -> Self {
        Self(State::Done(outcome))
    }

    /// One that somebody still works on; `outcome` is only told of it, and may be dropped.
    pub fn under_way(outcome: impl Future<Output = Invalidation> + Send + 'static) -> Self {
        Self(State::UnderWay(Box::pin(outcome)))
    }
}

impl Future for Invalidating {
    type Output = Invalidation;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Invalidation> {
        match &mut self.0 {
            State::Done(outcome) => Poll::Ready(*outcome),
            State::UnderWay(outcome) => outcome.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Invalidating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.0 {
            State::Done(outcome) => Some(outcome),
            State::UnderWay(_) => None,
        };
        f.debug_tuple("Invalidating").field(&outcome).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn assert_cache<C: Cache + ?Sized>() {}
        assert_cache::<dyn Cache>();
        assert_cache::<Arc<dyn Cache>>();
        assert_cache::<&Box<dyn Cache>>();
    }
}
