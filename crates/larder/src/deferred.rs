//! Database transactions: invalidations that wait for the commit, and reads that the cache neither answers nor keeps.
//!
//! What is changed inside of a transaction is seen by no other transaction before its commit, and perhaps never. So inside of a
//! scope nothing that is computed is stored or given to other callers, and what was invalidated is not read from the cache;
//! it is invalidated for all at the end.

use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    cache::{Cache, Invalidating, Invalidation, Strength},
    cache_core::Core,
    dependencies::{self, EnteredDeferred},
    entry::Entry,
    epoch::{Epoch, Epochs},
    panic_guard::Contained,
    scope::{Scope, ScopeHash},
    spans::Traced,
    sync::plain::{Mutex, lock},
};

/// Begins a scope for one database transaction: what is invalidated within it is invalidated when the scope is
/// [committed](Deferred::commit), after the transaction.
///
/// Inside of [`run`](Deferred::run) and [`run_blocking`](Deferred::run_blocking),
///
/// - what `#[invalidate]` and `#[cache_put]` name is collected, and invalidated by [`commit`](Deferred::commit), all at
///   once; what is to be marked stale is marked then. (`CacheExt::invalidate`, `mark_stale` and `insert` by hand, and
///   companions, do it at once *and* again then.)
/// - reads pass by what was invalidated so far, with all that was computed from it.
/// - whatever is computed is computed for the caller alone, and neither stored nor shared: it was read inside of the
///   transaction, and may be what is never committed, or older than what others have committed since. Entries that were
///   there before, and that nothing in the scope has invalidated, are served as ever.
///
/// A scope that is dropped without [`commit`](Deferred::commit) or [`rollback`](Deferred::rollback) invalidates what it has
/// collected: a panic, an error or a cancellation may have come after the database's commit. That is safe, and costs some
/// computations.
///
/// ```
/// use larder::{cached, invalidate};
///
/// # #[derive(Default, Clone)] struct Db(std::sync::Arc<std::sync::Mutex<String>>);
/// # struct Tx<'d> { db: &'d Db, name: String }
/// # impl Db { async fn begin(&self) -> Result<Tx<'_>, String> { Ok(Tx { db: self, name: self.0.lock().unwrap().clone() }) } }
/// # impl Tx<'_> { async fn commit(self) -> Result<(), String> { *self.db.0.lock().unwrap() = self.name; Ok(()) } }
/// #[cached(ttl = 300, key = "user:<id>", skip(tx))]
/// async fn user(tx: &mut Tx<'_>, id: u64) -> Result<String, String> {
///     // SELECT …
/// #   Ok(tx.name.clone())
/// }
///
/// #[invalidate("user:<id>")]
/// async fn rename(tx: &mut Tx<'_>, id: u64, name: &str) -> Result<(), String> {
///     // UPDATE …
/// #   tx.name = name.to_owned();
/// #   Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), String> {
/// # let db = Db::default();
/// let scope = larder::deferred();
/// let done: Result<(), String> = scope
///     .run(async {
///         let mut tx = db.begin().await?;
///         rename(&mut tx, 7, "Ann").await?; // not invalidated yet
///         assert_eq!(user(&mut tx, 7).await?, "Ann"); // computed, and not stored
///         tx.commit().await
///     })
///     .await;
/// if done.is_ok() {
///     scope.commit().await; // invalidated
/// } // else dropped: invalidated too, as the commit may have come through
/// # done?;
/// # assert_eq!(user(&mut db.begin().await?, 7).await?, "Ann");
/// # Ok(())
/// # }
/// ```
///
/// A scope follows the future that it runs, from thread to thread. A task that is spawned inside of it is not in it, unless
/// its future is wrapped in [`in_current_computation`](crate::in_current_computation); a thread neither, unless it works in
/// [`Context::run`](crate::Context::run). Several futures may run in one scope.
///
/// It keeps the names of up to 10,000 things that are to be invalidated in one cache. More than that become one that covers all
/// of the cache, from then on.
///
/// Scopes nest: one that is made inside of another one hands over to that one when it is committed or dropped, as a
/// savepoint does.
#[must_use = "a scope that is dropped at once collects nothing"]
pub fn deferred() -> Deferred {
    Deferred(Arc::new(State { outer: current(), collected: Mutex::default() }))
}

/// Invalidations that wait for a database transaction: made by [`deferred`].
pub struct Deferred(Arc<State>);

/// What a scope has collected.
pub(crate) struct State {
    outer: Option<Arc<Self>>,
    collected: Mutex<DeferredInvalidations>,
}

#[derive(Default)]
struct DeferredInvalidations {
    all: Vec<OfCache>,
    /// The scope has ended: what comes later waits no longer.
    is_over: bool,
}

/// What waits for one cache.
struct OfCache {
    cache: Arc<dyn Cache>,
    core: Core,
    hard: Collected,
    soft: Collected,
}

/// So many scopes wait for one cache; of more, one is made that covers everything there.
const MOST: usize = 10_000;

/// Scopes, each once.
#[derive(Default)]
struct Collected {
    scopes: Vec<Scope>,
    hashes: HashSet<ScopeHash>,
}

impl Collected {
    fn add(&mut self, more: impl IntoIterator<Item = Scope>) {
        for scope in more {
            if self.hashes.contains(&ScopeHash::ALL) {
                return;
            }
            if !self.hashes.insert(scope.hash()) {
                continue;
            }
            self.scopes.push(scope);
            if self.scopes.len() > MOST {
                self.scopes = vec![Scope::all()];
                self.hashes = [ScopeHash::ALL].into();
            }
        }
    }

    fn covers(&self, scopes: &[ScopeHash]) -> bool {
        let changed = |scope: &ScopeHash| self.hashes.contains(scope);
        changed(&ScopeHash::ALL) || (!self.hashes.is_empty() && scopes.iter().any(changed))
    }
}

/// The scope that the calling code runs in.
pub(crate) fn current() -> Option<Arc<State>> {
    dependencies::current_deferred()?.downcast().ok()
}

/// Whether the calling code runs in a scope: then nothing is stored.
pub(crate) fn is_current() -> bool {
    dependencies::in_deferred()
}

/// Whether the current scope has invalidated something that covers an entry of a cache.
pub(crate) fn covers(core: &Core, entry: &Entry) -> bool {
    let Some(state) = current() else { return false };
    let mut foreign = entry.0.foreign_dependencies().iter();
    state.covers(core.epochs(), entry.0.scopes())
        || foreign.any(|there| state.covers(&there.epochs, &there.scopes))
}

/// An invalidation by a caller: now, and at the end of the current scope too, if there is one.
pub(crate) fn invalidate(
    cache: &(impl Cache + ?Sized),
    scopes: &[Scope],
    strength: Strength,
) -> Invalidating {
    collect(cache, scopes, strength);
    invalidate_now(cache, scopes, strength)
}

/// The same, now and not again.
pub(crate) fn invalidate_now(
    cache: &(impl Cache + ?Sized),
    scopes: &[Scope],
    strength: Strength,
) -> Invalidating {
    let what = || scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let span = Traced::invalidate(cache.core().name(), scopes.len(), strength.name(), what);
    Invalidating::within(span, || match strength {
        Strength::Hard => cache.storage().apply(scopes),
        Strength::Soft => cache.storage().mark_stale(scopes),
    })
}

/// Has the current scope, if there is one, invalidate these too.
pub(crate) fn collect(cache: &(impl Cache + ?Sized), scopes: &[Scope], strength: Strength) {
    if let Some(state) = current() {
        state.collect(cache, scopes, strength);
    }
}

impl State {
    fn covers(&self, epochs: &Arc<Epochs>, scopes: &[ScopeHash]) -> bool {
        let here = {
            let collected = lock(&self.collected);
            let mut of_cache = collected.all.iter().filter(|of| Arc::ptr_eq(of.core.epochs(), epochs));
            of_cache.any(|of| of.hard.covers(scopes) || of.soft.covers(scopes))
        };
        here || self.outer.as_ref().is_some_and(|outer| outer.covers(epochs, scopes))
    }

    /// Collects what a cache is to invalidate at the end: the invalidation, if that is over already.
    pub(crate) fn collect(
        &self,
        cache: &(impl Cache + ?Sized),
        scopes: &[Scope],
        strength: Strength,
    ) -> Option<Invalidating> {
        let (mut collected, none) = (Collected::default(), Collected::default());
        collected.add(scopes.iter().cloned());
        let (hard, soft) = match strength {
            Strength::Hard => (collected, none),
            Strength::Soft => (none, collected),
        };
        self.add(vec![OfCache { cache: cache.share(), core: cache.core().clone(), hard, soft }])
    }

    fn add(&self, more: Vec<OfCache>) -> Option<Invalidating> {
        {
            let mut collected = lock(&self.collected);
            if !collected.is_over {
                for of in more {
                    collected.add(of);
                }
                return None;
            }
        }
        match &self.outer {
            Some(outer) => outer.add(more),
            None => Some(invalidate_all(more)),
        }
    }

    /// Ends the scope.
    fn end(&self) -> Vec<OfCache> {
        let mut collected = lock(&self.collected);
        collected.is_over = true;
        std::mem::take(&mut collected.all)
    }

    fn commit(&self) -> Invalidating {
        let all = self.end();
        match &self.outer {
            Some(outer) => outer.add(all).unwrap_or_else(|| Invalidating::done(Invalidation::Queued)),
            None => invalidate_all(all),
        }
    }
}

impl DeferredInvalidations {
    fn add(&mut self, more: OfCache) {
        match self.all.iter_mut().find(|there| there.core.same_cache(&more.core)) {
            Some(there) => {
                there.hard.add(more.hard.scopes);
                there.soft.add(more.soft.scopes);
            }
            None => self.all.push(more),
        }
    }
}

/// Invalidates all, here and now. A cache that panics keeps no other one from it.
fn invalidate_all(all: Vec<OfCache>) -> Invalidating {
    let mut contained = Contained::default();
    let mut under_way = Vec::new();
    for of in &all {
        for (collected, strength) in [(&of.hard, Strength::Hard), (&of.soft, Strength::Soft)] {
            if !collected.scopes.is_empty() {
                let begin = || invalidate_now(&*of.cache, &collected.scopes, strength);
                under_way.extend(contained.call(begin));
            }
        }
    }
    contained.resume();
    match under_way.len() {
        0 | 1 => under_way.pop().unwrap_or_else(|| Invalidating::done(Invalidation::Delivered(Epoch::ZERO))),
        _ => Invalidating::under_way(async move {
            let mut outcome = Invalidation::Delivered(Epoch::ZERO);
            for one in under_way {
                outcome = match (outcome, one.await) {
                    (Invalidation::Delivered(one), Invalidation::Delivered(other)) => {
                        Invalidation::Delivered(one.max(other))
                    }
                    _ => Invalidation::Queued,
                };
            }
            outcome
        }),
    }
}

impl Deferred {
    /// Runs a future in this scope: from here to the database's commit.
    pub fn run<F: Future>(&self, future: F) -> InDeferred<F> {
        InDeferred { state: self.0.clone(), future }
    }

    /// The same for code that is not async.
    pub fn run_blocking<R>(&self, call: impl FnOnce() -> R) -> R {
        let _entered = EnteredDeferred::new(self.0.clone());
        call()
    }

    /// The transaction is committed: invalidates all that was collected. As
    /// [`CacheExt::invalidate`](crate::CacheExt::invalidate), it is done when this returns, and the future tells how far
    /// the news has come: `Queued` if several caches are meant, and not all could tell others.
    ///
    /// In a scope inside of another one this hands over to that one, and is `Queued`.
    pub fn commit(self) -> Invalidating {
        self.0.commit()
    }

    /// The transaction is rolled back, for certain: nothing has changed, and nothing is invalidated.
    pub fn rollback(self) {
        drop(self.0.end());
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        // After a commit or a rollback there is nothing left.
        drop(self.0.commit());
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs in a scope: see [`Deferred::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct InDeferred<F> {
        state: Arc<State>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for InDeferred<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = EnteredDeferred::new(this.state.clone());
        this.future.poll(context)
    }
}

impl<F> std::fmt::Debug for InDeferred<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InDeferred").finish_non_exhaustive()
    }
}
