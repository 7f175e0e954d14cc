//! Caches for tests: each test with [`global`](crate::global) and [`named`](crate::named) caches of its own.
//!
//! The caches that a program installs are those of the whole process, and so of all tests of one binary: a test is then
//! served what another one has stored. A test that is isolated sees none of them. It begins with nothing installed, so
//! that what the program does at its start ([`install`](crate::install), [`install_as`](crate::install_as)) can be done
//! in each test, and without that uses an empty cache in process memory.
//!
//! ```
//! use larder::{CacheExt, cached};
//!
//! #[cached(ttl = 300, key = "user:<id>")]
//! async fn user(id: u64) -> String {
//!     format!("user {id}")
//! }
//!
//! // A test: `#[tokio::test] async fn a_user_is_cached()`
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let _own = larder::testing::isolate();
//! assert_eq!(user(7).await, "user 7");
//! assert_eq!(larder::global().stats().stores, 1);
//! # }
//! ```
//!
//! [`isolate`] is for a test and all that runs on its thread: with `#[tokio::test]` that is each task that it spawns.
//! Where tasks run on several threads (`flavor = "multi_thread"`), give those that use caches to [`in_isolation`].
//!
//! For a test without a cache, [disable](crate::CacheExt::disable) it: `larder::global().disable()`.
//!
//! All of it needs the feature `test-util`, which belongs under `[dev-dependencies]`: with it, each look at an installed
//! cache costs a little more.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::registry::installed::Registry;

thread_local! {
    static CURRENT: Cell<Option<&'static Registry>> = const { Cell::new(None) };
}

/// The caches of the isolated test that the calling code is a part of.
pub(crate) fn registry() -> Option<&'static Registry> {
    CURRENT.get()
}

/// Gives the calling thread installed caches of its own, none at first, until the guard is dropped.
///
/// They are kept until the process ends, as installed caches are.
#[must_use = "the thread is isolated until this is dropped"]
pub fn isolate() -> Isolated {
    Isolated::enter(Some(Box::leak(Box::new(Registry::new()))))
}

/// Runs a future with installed caches of its own: as [`isolate`], wherever it is polled.
pub fn isolated<F: Future>(future: F) -> InIsolation<F> {
    let _own = isolate();
    in_isolation(future)
}

/// Carries the caches of an isolated test into a task or thread of its own. Called outside of one, it changes nothing.
///
/// ```
/// # #[tokio::main]
/// # async fn main() {
/// use larder::{CacheExt, global, testing};
///
/// let _own = testing::isolate();
/// global().disable();
/// let task = tokio::spawn(testing::in_isolation(async { global().is_enabled() }));
/// assert!(!task.await.unwrap());
/// # }
/// ```
pub fn in_isolation<F: Future>(future: F) -> InIsolation<F> {
    InIsolation { registry: CURRENT.get(), future }
}

/// The calling thread is isolated until it is dropped: see [`isolate`].
pub struct Isolated {
    outer: Option<&'static Registry>,
    /// It belongs to its thread.
    of_thread: PhantomData<*const ()>,
}

impl Isolated {
    fn enter(registry: Option<&'static Registry>) -> Self {
        Self { outer: CURRENT.replace(registry), of_thread: PhantomData }
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        CURRENT.set(self.outer);
    }
}

impl fmt::Debug for Isolated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Isolated").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future with the caches of an isolated test: see [`isolated`] and [`in_isolation`].
    #[must_use = "futures do nothing unless polled"]
    pub struct InIsolation<F> {
        registry: Option<&'static Registry>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for InIsolation<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.registry.map(|registry| Isolated::enter(Some(registry)));
        this.future.poll(context)
    }
}

impl<F> fmt::Debug for InIsolation<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InIsolation").finish_non_exhaustive()
    }
}
