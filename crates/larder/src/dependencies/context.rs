//! What a computation decides about its own entry.

use std::{sync::Arc, time::Duration};

use super::{
    Decisions, Frame, current,
    flags::{DeferredScope, EnteredDeferred, current_deferred},
};
use crate::sync::lock;

/// The computation that the calling code is a part of: lets it decide about its own entry.
///
/// Where there is no entry to decide about (`when` said no, say, or a test calls the inner function
/// directly), the setters do nothing.
///
/// ```
/// # use std::time::Duration;
/// # use larder::cached;
/// #[cached(ttl = 300, key = "rate:<currency>")]
/// async fn rate(currency: &str) -> f64 {
///     larder::context().ttl(Duration::from_secs(5)).tag("rates");
///     1.1
/// }
/// ```
#[must_use]
pub fn context() -> Context {
    Context { frame: current(), deferred: current_deferred() }
}

/// Decides about the entry of the computation that is running; made by [`context`].
///
/// Decisions count when the computation ends with a value, and the last one on a matter is the one that
/// counts.
#[derive(Clone)]
pub struct Context {
    pub(super) frame: Option<Arc<Frame>>,
    deferred: Option<DeferredScope>,
}

impl Context {
    /// Sets how long the value is fresh, in place of its policy's `ttl` or `negative_ttl`. Zero does not
    /// store it.
    pub fn ttl(&self, ttl: Duration) -> &Self {
        self.decide(|decisions| decisions.ttl = Some(ttl))
    }

    /// Adds a tag to the value.
    pub fn tag(&self, tag: impl Into<String>) -> &Self {
        // Before the lock is taken: it is the caller's own code.
        let tag = tag.into();
        self.decide(|decisions| decisions.tags.push(tag))
    }

    /// Does not store the value. Callers who wait for this computation still receive it.
    pub fn no_store(&self) -> &Self {
        self.decide(|decisions| decisions.no_store = true)
    }

    /// Neither stores the outcome nor gives it to any caller but the one that computes it: the others who
    /// wait compute for themselves.
    pub fn unshared(&self) -> &Self {
        self.decide(|decisions| {
            decisions.no_store = true;
            decisions.unshared = true;
        })
    }

    /// Keeps the value for so long past its `ttl`, and past the moment at which it is marked stale: for sister crates, which
    /// serve stale values by rules of their own.
    pub(crate) fn kept_stale(&self, limit: Duration) {
        self.decide(|decisions| decisions.kept_stale = Some(limit));
    }

    /// Calls a function as a part of the computation, on any thread: what it reads from caches covers the computation's
    /// value too. The counterpart of [`in_current_computation`](crate::in_current_computation) for threads.
    ///
    /// Only what is read before the computation ends can count, so wait for the thread inside of it. Without this, what a
    /// thread reads does not count; and a thread that asks for the very key that the computation waiting for it is for
    /// waits for ever.
    ///
    /// ```
    /// # use std::thread;
    /// # use larder::cached;
    /// #[cached(ttl = 60, key = "profile:<id>")]
    /// fn profile(id: u64) -> String {
    ///     let context = larder::context();
    ///     let orders = thread::spawn(move || context.run(|| orders(id)));
    ///     orders.join().unwrap_or_default()
    /// }
    ///
    /// #[cached(ttl = 60, key = "orders:<id>")]
    /// fn orders(id: u64) -> String {
    ///     format!("the orders of {id}")
    /// }
    ///
    /// assert_eq!(profile(7), "the orders of 7");
    /// # use larder::CacheExt as _;
    /// orders::invalidate(7);
    /// # let before = larder::global().stats().computations;
    /// assert_eq!(profile(7), "the orders of 7"); // computes both anew
    /// # assert!(larder::global().stats().computations >= before + 2);
    /// ```
    pub fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        let _deferred = self.deferred.clone().map(EnteredDeferred::new);
        match &self.frame {
            Some(frame) => frame.enter(call),
            None => call(),
        }
    }

    /// Whether there is a computation to decide about.
    #[must_use]
    pub fn is_computing(&self) -> bool {
        self.frame.is_some()
    }

    fn decide(&self, decide: impl FnOnce(&mut Decisions)) -> &Self {
        if let Some(frame) = &self.frame {
            decide(&mut lock(&frame.state).decisions);
        }
        self
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("is_computing", &self.is_computing()).finish()
    }
}
