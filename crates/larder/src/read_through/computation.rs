//! The last step of a request: a computation, and what becomes of its outcome.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    made_entry::Ended,
    previous_value::replaced,
    request::{Refreshed, Request},
    storing::write,
};
use crate::{
    block_on::block_on,
    cache::Cache,
    cache_events::CacheEvent,
    compute_turns::Turn,
    dependencies::{self, Frame, PassOn},
    entry::Entry,
    epoch::ReadVersion,
    error_sharing::Sharing,
    log_throttle::LogThrottle,
    outcome::{NotStored, Source},
    panic_guard,
    scope::ScopeHash,
    singleflight::{Failure, InFlightIds, Leader, Outcome},
    spans::Traced,
    value::LocalValue,
};

/// What a request comes to that has no value yet: a computation, for the leader of those who wait or for this caller
/// alone.
pub(super) struct Planned {
    pub(super) leader: Option<Leader>,
    /// Where the computation begins.
    pub(super) since: ReadVersion,
    pub(super) refreshed: Refreshed,
    /// What may be served if the computation fails, or is slow.
    pub(super) stale: Option<Entry>,
    pub(super) turn: Option<Turn>,
}

impl Planned {
    /// What may be served if the computation fails: what it refreshes, if anything.
    pub(super) fn take_stale(&mut self) -> Option<Entry> {
        self.refreshed.take().map(|(entry, _)| entry).or(self.stale.take())
    }
}

/// What a caller is about to compute.
pub(super) struct Computation {
    pub(super) frame: Arc<Frame>,
    /// The lead of those who wait, if any.
    pub(super) leader: Option<Leader>,
    /// What may be served if it fails.
    pub(super) stale: Option<Entry>,
    /// The turn that it waited for, if any.
    pub(super) turn: Option<Turn>,
    /// Whether the value replaces what is there: then all that was computed from that is invalidated too.
    pub(super) replaces: bool,
    pub(super) span: Traced,
}

/// What a computation made.
struct Made {
    entry: Entry,
    /// Whether it is to be stored.
    wanted: bool,
    /// The lead of those who wait for it, if any.
    leader: Option<Leader>,
    /// Whether they are given it.
    shared: bool,
    /// The turn that it waited for, if any: who is next looks for what is stored.
    turn: Option<Turn>,
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Begins a computation: for all who wait, or without a leader, for this caller alone. While it waits, the
    /// computations that it is `nested_in` wait too.
    pub(super) fn begin(
        &self,
        Planned { leader, since, turn, .. }: Planned,
        stale: Option<Entry>,
        nested_in: InFlightIds,
    ) -> Computation {
        self.note_start(leader.as_ref());
        let mut in_flight = nested_in;
        in_flight.extend(leader.as_ref().map(Leader::id));
        let previous = stale.as_ref().map(|entry| replaced(self.core(), entry));
        let frame = Frame::of_request(in_flight, since, self.policy.detached, (previous, turn.is_some()));
        let span = self.computing();
        if let Some(leader) = &leader {
            leader.set_span(&span);
        }
        Computation { frame, leader, stale, turn, replaces: false, span }
    }

    /// Begins one for this caller alone, whose value replaces what is there.
    pub(super) fn replacing(&self) -> Computation {
        let in_flight = dependencies::current_in_flight();
        let frame = Frame::new(in_flight, self.core().begin(), self.policy.detached);
        Computation { frame, leader: None, stale: None, turn: None, replaces: true, span: self.computing() }
    }

    /// The span of a computation that begins now.
    pub(super) fn computing(&self) -> Traced {
        let core = self.core();
        let (function, namespace) = core.statistics().names(self.wanted.of.group);
        self.span.compute(core.name(), function, namespace, &self.key)
    }

    /// Counts what is unusual about a start.
    pub(super) fn note_start(&self, leader: Option<&Leader>) {
        let Some(leader) = leader else {
            return self.count(|counters| match self.core().is_enabled() {
                true => &counters.unjoined,
                false => &counters.bypassed,
            });
        };
        if leader.took_over() {
            self.count(|counters| &counters.taken_over);
            self.warn_of_takeover();
        }
    }

    fn warn_of_takeover(&self) {
        static THROTTLE: LogThrottle = LogThrottle::new();
        if let Some(count) = THROTTLE.due() {
            panic_guard::report!(
                warn,
                key = &*self.key,
                count,
                "a computation was woken and not polled, and is passed over: poll the call until it ends, drop it, \
                 or give the cached function the option `spawn` (said once a minute at most; counted as `taken_over`)"
            );
        }
    }

    /// Computes, stores, and tells all who wait. Not an `async fn`, whose future would hold what it is given twice.
    pub(super) fn compute<V, E, F, Fut>(
        &self,
        computation: Computation,
        compute: F,
    ) -> impl Future<Output = Result<V, E>>
    where
        V: LocalValue,
        S: Sharing<E>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let began = Instant::now();
        async move {
            let computed = {
                let _passed_on = self.note_run(&computation.frame);
                let run = computation.frame.run(async { compute().await });
                computation.span.clone().wrap(run).await
            };
            let (result, made) = self.finish(computation, computed, began.elapsed());
            if let Some(made) = made {
                let stored = self.stores(&made);
                if stored {
                    write(self.cache, std::slice::from_ref(&made.entry)).await;
                }
                self.give_to_waiters(made, stored);
            }
            result
        }
    }

    /// The same on this thread. No future is on its stack while the computation runs, which may be a recursive function.
    pub(super) fn compute_blocking<V, E>(
        &self,
        computation: Computation,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let began = Instant::now();
        let computed = {
            let _passed_on = self.note_run(&computation.frame);
            let _busy = self.watch.busy();
            computation.span.enter(|| computation.frame.enter(compute))
        };
        let took = began.elapsed();
        self.span.enter(|| {
            let (result, made) = self.finish(computation, computed, took);
            if let Some(made) = made {
                let stored = self.stores(&made);
                if stored {
                    block_on(Box::pin(write(self.cache, std::slice::from_ref(&made.entry))));
                }
                self.give_to_waiters(made, stored);
            }
            result
        })
    }

    /// Ends a computation that `took` so long: what its caller is given, and what is to be stored. Tells all who wait,
    /// if nothing is. What it calls of the user's is a part of the computation, for which others wait still: a cycle
    /// through it is computed without joining.
    fn finish<V, E>(
        &self,
        computation: Computation,
        computed: Result<V, E>,
        took: Duration,
    ) -> (Result<V, E>, Option<Made>)
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let Computation { frame, leader, stale, turn, replaces, span } = computation;
        span.record("outcome", if computed.is_ok() { "success" } else { "failure" });
        // Closed as soon as those who waited have linked theirs to it.
        drop(span);
        let core = self.core();
        // Before all that ended: the rest of these succeeded.
        if computed.is_err() {
            self.count(|counters| &counters.failures);
        }
        core.computed(Some(self.told_key()), self.wanted.of.group, (took, computed.is_ok()));
        let ended = Ended { frame: &frame, decisions: frame.decisions(), replaces, took };
        let shared = !ended.decisions.unshared;
        match computed {
            Ok(value) => {
                self.span.record("outcome", "computed");
                self.observer.computed(None);
                if ended.decisions.kept {
                    self.count(|counters| &counters.kept);
                }
                core.pauses().clear(self.hash);
                // What cannot be cloned is this caller's alone.
                let entry_of = || frame.enter(|| self.entry_of(&value, &ended));
                let Some((entry, wanted)) = panic_guard::contain(entry_of) else {
                    self.not_stored(NotStored::NotCloned);
                    if replaces {
                        // What is there is older than what was made now.
                        core.replace(&[ScopeHash::key(&self.key)], drop);
                    }
                    leader.into_iter().for_each(|leader| leader.complete(Outcome::Unshared, false));
                    return (Ok(value), None);
                };
                (Ok(value), Some(Made { entry, wanted, leader, shared, turn }))
            }
            Err(error) => {
                self.observer.computed(None);
                let kept = panic_guard::contain(|| frame.enter(|| self.entry_of_error(&error, &ended)));
                if let Some((entry, wanted)) = kept.flatten() {
                    // It is an answer of the source's: no old value takes its place.
                    self.span.record("outcome", "failed");
                    core.pauses().clear(self.hash);
                    return (Err(error), Some(Made { entry, wanted, leader, shared, turn }));
                }
                (self.fail(error, &frame, (leader, stale), shared), None)
            }
        }
    }

    /// Ends a computation that failed, with an error that is not kept: what its caller is given.
    fn fail<V, E>(
        &self,
        error: E,
        frame: &Arc<Frame>,
        (leader, stale): (Option<Leader>, Option<Entry>),
        shared: bool,
    ) -> Result<V, E>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        // First: those who come when it has ended are not to ask again.
        self.note_failure(stale.as_ref());
        if let Some(leader) = leader {
            // One whose `Clone`, `Display` or `source` panics cannot be shared.
            let give = || panic_guard::contain(|| frame.enter(|| self.sharing.give(&error))).flatten();
            let given = if shared { give() } else { None };
            let cover = Arc::new(frame.cover(self.scopes.clone(), self.core().epochs()));
            let failure = Failure { error: given, cover };
            let outcome = if shared { Outcome::Failure(failure) } else { Outcome::Unshared };
            leader.complete(outcome, false);
        }
        let served = stale.and_then(|entry| self.serve_if_usable(&entry));
        self.not_stored(NotStored::Failed);
        if served.is_none() {
            self.span.record("outcome", "failed");
        }
        served.ok_or(error)
    }

    /// Whether what was made is to be stored: if it is wanted, and newer than what may be there.
    fn stores(&self, made: &Made) -> bool {
        self.is_stored(&made.entry, made.wanted, made.leader.as_ref())
    }

    /// The same of an entry that is to be stored if it is `wanted`, and tells so.
    pub(super) fn is_stored(&self, entry: &Entry, wanted: bool, leader: Option<&Leader>) -> bool {
        // What begins later is newer: the value of one that was superseded is not put in its place.
        let superseded = leader.is_some_and(Leader::is_superseded);
        if wanted && superseded {
            self.not_stored(NotStored::Superseded);
        } else if wanted {
            self.observer.tell(|| entry.0.outcome(Source::Computed, None, self.core().now()));
        }
        wanted && !superseded
    }

    /// Tells why nothing is stored.
    pub(super) fn not_stored(&self, why: NotStored) {
        self.observer.not_stored(why);
        self.core().tell(|core| CacheEvent::NotStored {
            key: self.told_key().clone(),
            function: core.function(self.wanted.of.group),
            why,
        });
    }

    /// Ends a computation whose outcome was `stored`, or was not to be: gives it to all who wait, if it is shared with them.
    fn give_to_waiters(&self, made: Made, stored: bool) {
        let Made { entry, leader, shared, turn: _turn, .. } = made;
        // Other processes find it, unless it has to stay in this one.
        let found = stored && self.is_shared() && !entry.0.is_unshared();
        dependencies::record(self.core().epochs(), &entry.0);
        if let Some(leader) = leader {
            let outcome = if shared { Outcome::Value(entry) } else { Outcome::Unshared };
            leader.complete(outcome, found);
        }
    }

    /// A computation begins to run in its frame. Whatever becomes of it, the computation that it is nested in has
    /// asked for this key, and takes over the dependencies that were recorded for it.
    fn note_run(&self, frame: &Arc<Frame>) -> PassOn {
        let core = self.core();
        self.count(|counters| &counters.computations);
        panic_guard::report!(debug, key = &*self.key, "computing");
        dependencies::record_scopes(core.epochs(), || self.scopes.clone());
        frame.pass_on()
    }
}
