//! What a computation read from caches, and what it decided about its own entry.
//!
//! A computation runs inside a [`Frame`], which is current on its thread while it is polled. Every read
//! through a cache, a hit or nothing, puts the scopes of what was read on the current frame; at the end
//! they cover the computation's own value. Frames nest: a computation's value passes its scopes on to
//! its readers.

mod bypass;
mod context;
mod earlier;
mod flags;
mod old_entry;
mod previous;

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use self::flags::set_recording;
pub use self::{
    bypass::{bypass, bypass_blocking, unrecorded},
    context::{Context, context},
    previous::Previous,
};
pub(crate) use self::{
    earlier::{LastReader, record_found},
    flags::{DeferredScope, EnteredDeferred, current_deferred, in_deferred, is_plain, recording},
    old_entry::OldEntry,
};
use pin_project_lite::pin_project;

use crate::{
    clock::Moment,
    entry::{DependencySet, ForeignDependencies, Stored},
    epoch::{Epochs, ReadVersion},
    mutant::{self, Rule},
    scope::{self, CollectedScopes, ScopeHash, ScopeSet},
    singleflight::InFlightIds,
    sync::{Mutex, lock},
};

/// A computation under way.
pub(crate) struct Frame {
    /// The computations that this computation leads, and those it is nested in.
    in_flight: InFlightIds,
    since: ReadVersion,
    records: bool,
    /// A part of it has a turn, for which others wait: it waits for none itself.
    has_turn: bool,
    /// What is there in place of its value so far.
    previous: Option<Box<dyn OldEntry>>,
    state: Mutex<ScopeState>,
}

#[derive(Default)]
struct ScopeState {
    reads: Vec<Reads>,
    /// When the first of what was read had been marked stale, if any was.
    marked: Option<Moment>,
    /// When the first of what was read before the computation began was read, if that was changed in between.
    since: Option<ReadVersion>,
    /// How often something was put here.
    records: u64,
    decisions: Decisions,
}

impl ScopeState {
    /// Something was read that had been marked at this time.
    fn note_marked(&mut self, at: Option<Moment>) {
        // None is less than any.
        self.marked = self.marked.xor(at).or_else(|| self.marked.min(at));
    }

    /// Something was read at this point which was changed before the computation began.
    fn note_since(&mut self, at: Option<ReadVersion>) {
        self.since = match (self.since, at) {
            (Some(since), Some(at)) => Some(since.earlier(at)),
            (since, at) => since.or(at),
        };
    }
}

/// The scopes of what was read from one cache, or from all that share a log.
#[derive(Clone)]
struct Reads {
    epochs: Arc<Epochs>,
    scopes: CollectedScopes,
}

/// What a computation decided about its own entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decisions {
    pub(crate) ttl: Option<Duration>,
    pub(crate) tags: Vec<String>,
    pub(crate) no_store: bool,
    pub(crate) unshared: bool,
    /// The value is the old one, which the computation found unchanged.
    pub(crate) kept: bool,
    /// The computation has stored a value itself, in place of its own.
    pub(crate) stored_beside: bool,
    /// For how long it is kept past its `ttl`, in place of what its policy says of errors.
    pub(crate) kept_stale: Option<Duration>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Frame>>> = const { RefCell::new(None) };
}

/// The computation that the calling code is a part of.
pub(crate) fn current() -> Option<Arc<Frame>> {
    with_current(|frame| Some(frame.clone()))
}

/// Looks at the computation that the calling code is a part of, if any.
fn with_current<R: Default>(look: impl FnOnce(&Arc<Frame>) -> R) -> R {
    // Destroyed already where the destructor of another thread-local calls: then there is none.
    let looked = CURRENT.try_with(|current| current.borrow().as_ref().map(look));
    looked.ok().flatten().unwrap_or_default()
}

/// Makes another one current, or none; the one so far.
fn set_current(frame: Option<Arc<Frame>>) -> Option<Arc<Frame>> {
    CURRENT.try_with(|current| current.replace(frame)).unwrap_or_default()
}

/// Puts what covers an entry on the current frame.
pub(crate) fn record(epochs: &Arc<Epochs>, read: &Stored) {
    if recording() && !mutant::is(Rule::HitsNotRecorded) {
        let marked = read.marked_at(epochs);
        with_state(|state| {
            add(&mut state.reads, epochs, read.scopes().iter().copied());
            add_foreign(&mut state.reads, read.foreign_dependencies());
            state.note_marked(marked);
        });
    }
}

/// The same of an entry whose value was found to be current although it had been marked stale: later marks count, and that
/// one does not.
pub(crate) fn record_renewed(epochs: &Arc<Epochs>, read: &Stored) {
    if recording() {
        with_state(|state| {
            add(&mut state.reads, epochs, read.scopes().iter().copied());
            add_foreign(&mut state.reads, read.foreign_dependencies());
        });
    }
}

/// Puts what covers a failed computation on the current frame.
pub(crate) fn record_dependencies(epochs: &Arc<Epochs>, cover: &DependencySet) {
    if recording() {
        with_state(|state| {
            add(&mut state.reads, epochs, cover.scopes.iter().copied());
            add_foreign(&mut state.reads, &cover.foreign_dependencies);
            state.note_marked(cover.marked);
        });
    }
}

/// Puts a key that nothing was found for on the current frame.
pub(crate) fn record_absent(epochs: &Arc<Epochs>, key: &str) {
    if mutant::is(Rule::MissesNotRecorded) {
        return;
    }
    record_scopes(epochs, || scope::covering(key, &[]));
}

/// Puts scopes on the current frame.
pub(crate) fn record_scopes(epochs: &Arc<Epochs>, scopes: impl FnOnce() -> ScopeSet) {
    if recording() {
        with_state(|state| add(&mut state.reads, epochs, scopes().iter().copied()));
    }
}

fn with_state(record: impl FnOnce(&mut ScopeState)) {
    with_current(|frame| {
        let mut state = lock(&frame.state);
        state.records += 1;
        record(&mut state);
    });
}

/// Adds scopes of the cache with these `epochs`.
fn add(reads: &mut Vec<Reads>, epochs: &Arc<Epochs>, scopes: impl Iterator<Item = ScopeHash>) {
    let there = match reads.iter_mut().position(|there| Arc::ptr_eq(&there.epochs, epochs)) {
        Some(index) => &mut reads[index],
        None => {
            reads.push(Reads { epochs: epochs.clone(), scopes: CollectedScopes::default() });
            reads.last_mut().expect("one was just added")
        }
    };
    there.scopes.extend(scopes);
}

fn add_foreign(reads: &mut Vec<Reads>, more: &[ForeignDependencies]) {
    for there in more {
        add(reads, &there.epochs, there.scopes.iter().copied());
    }
}

impl Frame {
    /// A frame for a computation that began at `since`. While it waits, `computations` wait.
    pub(crate) fn new(in_flight: InFlightIds, since: ReadVersion, detached: bool) -> Arc<Self> {
        Self::of_request(in_flight, since, detached, (None, false))
    }

    /// The same for a computation that may be made from an old value, and one that has a turn.
    pub(crate) fn of_request(
        in_flight: InFlightIds,
        since: ReadVersion,
        detached: bool,
        (previous, has_turn): (Option<Box<dyn OldEntry>>, bool),
    ) -> Arc<Self> {
        Arc::new(Self {
            in_flight,
            since,
            records: !detached,
            has_turn: has_turn || self::has_turn(),
            previous,
            state: Mutex::default(),
        })
    }

    /// Runs a future as this computation.
    pub(crate) fn run<F: Future>(self: &Arc<Self>, future: F) -> InComputation<F> {
        InComputation { frame: Some(self.clone()), deferred: None, future }
    }

    /// Calls a function as a part of this computation.
    pub(crate) fn enter<R>(self: &Arc<Self>, call: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self.clone());
        call()
    }

    /// Passes on what is read in this frame to the computation that it is nested in, when the guard is
    /// dropped: whatever becomes of this one, if it ends, fails, panics or is dropped in the middle.
    #[must_use]
    pub(crate) fn pass_on(self: &Arc<Self>) -> PassOn {
        PassOn(self.clone())
    }

    pub(crate) fn decisions(&self) -> Decisions {
        let state = lock(&self.state);
        // It may be older than those who wait.
        Decisions { unshared: state.decisions.unshared || state.since.is_some(), ..state.decisions.clone() }
    }

    /// The computation has stored a value itself, in place of its own.
    pub(crate) fn note_stored_beside(&self) {
        lock(&self.state).decisions.stored_beside = true;
    }

    /// How often something was put on this frame so far.
    pub(crate) fn records(&self) -> u64 {
        lock(&self.state).records
    }

    /// What covers a value of the cache with these `epochs`: `own` scopes, and all that was read so far.
    pub(crate) fn cover(&self, own: ScopeSet, epochs: &Arc<Epochs>) -> DependencySet {
        let state = lock(&self.state);
        let since = state.since.map_or(self.since, |earlier| self.since.earlier(earlier));
        let mut cover = DependencySet::new(since, own);
        cover.marked = state.marked;
        for there in &state.reads {
            if Arc::ptr_eq(&there.epochs, epochs) {
                cover.scopes.extend(there.scopes.iter());
            } else {
                let mut scopes = ScopeSet::default();
                scopes.extend(there.scopes.iter());
                cover.foreign_dependencies.push(ForeignDependencies { epochs: there.epochs.clone(), scopes });
            }
        }
        cover
    }
}

/// See [`Frame::pass_on`].
pub(crate) struct PassOn(Arc<Frame>);

impl Drop for PassOn {
    fn drop(&mut self) {
        if recording() {
            let (read, marked, since) = {
                let state = lock(&self.0.state);
                (state.reads.clone(), state.marked, state.since)
            };
            with_state(|state| {
                for there in &read {
                    add(&mut state.reads, &there.epochs, there.scopes.iter());
                }
                state.note_marked(marked);
                state.note_since(since);
            });
        }
    }
}

/// Whether the current computation, or one that it is nested in, has a turn.
pub(crate) fn has_turn() -> bool {
    with_current(|frame| frame.has_turn)
}

/// The computations that the current computation leads or is nested in: those that wait while it waits.
pub(crate) fn current_in_flight() -> InFlightIds {
    with_current(|frame| frame.in_flight.clone())
}

pin_project! {
    /// A future that runs as a part of a computation: see [`in_current_computation`].
    #[must_use = "futures do nothing unless polled"]
    pub struct InComputation<F> {
        frame: Option<Arc<Frame>>,
        deferred: Option<DeferredScope>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for InComputation<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.frame.clone().map(Entered::new);
        let _deferred = this.deferred.clone().map(EnteredDeferred::new);
        this.future.poll(task)
    }
}

impl<F> std::fmt::Debug for InComputation<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InComputation").finish_non_exhaustive()
    }
}

/// Makes a frame current; the one before it is current again afterwards, also after a panic.
struct Entered {
    outer: Option<Arc<Frame>>,
}

impl Entered {
    fn new(frame: Arc<Frame>) -> Self {
        set_recording(frame.records);
        Self { outer: set_current(Some(frame)) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        set_recording(self.outer.as_ref().is_some_and(|frame| frame.records));
        let inner = set_current(self.outer.take());
        drop(inner);
    }
}

/// Carries the current computation into a task of its own: what the task reads from caches covers the
/// computation's value too, as it does without a task.
///
/// Only what is read before the computation ends can count, so await the task inside of it. Called outside
/// of a computation, it changes nothing. A scope of [`deferred`](crate::deferred) invalidations is carried along too.
///
/// Without this, what a task reads does not count; and a task that asks for the very key that the
/// computation awaiting it is for waits for ever.
///
/// ```
/// # use larder::cached;
/// #[cached(ttl = 60, key = "profile:<id>")]
/// async fn profile(id: u64) -> String {
///     let orders = tokio::spawn(larder::in_current_computation(orders(id)));
///     orders.await.unwrap_or_default()
/// }
///
/// #[cached(ttl = 60, key = "orders:<id>")]
/// async fn orders(id: u64) -> String {
///     format!("the orders of {id}")
/// }
/// ```
pub fn in_current_computation<F: Future>(future: F) -> InComputation<F> {
    InComputation { frame: current(), deferred: current_deferred(), future }
}
