//! One computation a key: the leader, the waiters, and whose outcome counts.
//!
//! A caller who finds nothing in the cache *enters*. Either it leads a new computation, or it waits for the
//! one under way. A waiter accepts the outcome if the computation began after the waiter came, or if nothing
//! that covers the outcome was invalidated since the computation began; otherwise it enters once more, and
//! then only a computation begun after it came will do. So no caller waits for more than two computations. A key
//! has at most two under way: one that is outdated already is not joined; a new one begins beside it, once.
//!
//! A leader that is dropped leaves its computation vacant, and the first of the waiters to notice leads it on. So
//! it is with a leader that was woken and not polled for a while (see [`watch`]); if that one is polled again,
//! it has lost the lead: what it computes is its own caller's, and neither stored nor given to others.
//! No lock is held while a caller's future runs.

mod participant;
mod wait_graph;
mod watch;
#[cfg(not(larder_loom))]
mod watchdog;

use std::{
    any::{Any, TypeId},
    collections::{HashMap, hash_map::Entry as MapEntry},
    fmt,
    sync::Arc,
    task::Waker,
};

use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;

use crate::{
    cache::Lease,
    entry::{DependencySet, Entry},
    epoch::{Epochs, ReadVersion},
    scope::ScopeSet,
    spans::Traced,
    sync::{Mutex, lock},
};

use participant::Participant;
pub(crate) use participant::{Leader, Waiter};
pub(crate) use wait_graph::{InFlightId, Wait};
pub(crate) use watch::Watch;

/// What a computation is for: a key, and the type of its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WorkKey {
    pub(crate) key: Arc<str>,
    pub(crate) value_type: TypeId,
}

/// How a computation ended.
#[derive(Clone)]
pub(crate) enum Outcome {
    Value(Entry),
    Failure(Failure),
    /// The computation kept its outcome to itself: each of those who waited computes for itself.
    Unshared,
}

/// A failed computation's error, in the form in which callers of the same kind can take it.
#[derive(Clone)]
pub(crate) struct Failure {
    /// None if the error cannot be given to another caller.
    pub(crate) error: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) cover: Arc<DependencySet>,
}

impl Outcome {
    fn is_valid(&self, epochs: &Epochs) -> bool {
        match self {
            Self::Value(entry) => !entry.0.is_too_wide() && entry.0.is_valid(epochs),
            Self::Failure(failure) => !failure.cover.is_too_wide() && failure.cover.unchanged(epochs),
            Self::Unshared => true,
        }
    }
}

/// The computations of one cache.
pub(crate) struct Singleflight {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
}

#[derive(Default)]
struct Shard {
    under_way: HashMap<WorkKey, UnderWay, RandomState>,
    /// Numbers computations in the order of their beginnings.
    begun: u64,
}

/// The computations of one key and type: at most two, the older of them outdated.
struct UnderWay {
    current: Arc<InFlight>,
    outdated: Option<Arc<InFlight>>,
}

/// A computation under way.
struct InFlight {
    id: InFlightId,
    work: WorkKey,
    /// The scopes of the key and its static tags: what is known before the computation ends.
    scopes: ScopeSet,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Names the leader, too: one that began later has another one.
    number: u64,
    since: ReadVersion,
    /// Tells whether the leader is abandoned.
    watch: Arc<Watch>,
    /// What keeps other processes from computing the same. It stays with the computation when its leader is
    /// superseded.
    lease: Option<Lease>,
    participants: usize,
    /// A place for each waiter that was polled.
    waiting: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// The span of the computation, where a subscriber listens.
    span: Traced,
    /// How many leaders panicked.
    panics: usize,
    /// Whether the watchdog knows of it.
    #[cfg(not(larder_loom))]
    looked_after: bool,
}

enum Phase {
    Led,
    /// The leader was dropped: the first caller to come, or waiter to notice, takes the lead.
    Vacant,
    Completed(Outcome),
}

/// Who computes for those who wait.
#[derive(Debug, Clone, Copy)]
struct Leadership {
    /// The number of the computation when this one began. Another one there: this one was superseded.
    number: u64,
    /// Whether this one took over from one that was abandoned.
    superseded: bool,
}

impl Leadership {
    fn first(number: u64) -> Self {
        Self { number, superseded: false }
    }
}

/// When a caller came: what begins later is as new as it can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(u64);

/// A caller of a computation: what it wants, and what its own computation would be watched by.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) work: &'a WorkKey,
    pub(crate) hash: u64,
    /// The scopes of the key and its static tags.
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) watch: &'a Arc<Watch>,
}

/// What a caller does after entering.
pub(crate) enum Role {
    /// Computes, and tells the others.
    Leader(Leader),
    /// Waits.
    Waiter(Waiter),
}

/// What a waiter does at the end of its wait.
pub(crate) enum Awaited {
    /// Takes this outcome.
    Accepted(Outcome),
    /// Enters again: the outcome is older than an invalidation that may have come before the caller.
    Outdated,
    /// Leads: the leader was dropped, or is abandoned.
    Leader(Leader),
}

impl Singleflight {
    /// One under the model checker, which follows each lock.
    const SHARDS: usize = if cfg!(larder_loom) { 1 } else { 64 };

    pub(crate) fn new() -> Self {
        Self { shards: std::iter::repeat_with(CachePadded::default).take(Self::SHARDS).collect() }
    }

    /// Leads or joins the computation of the caller's key and type. `came` is none on a caller's first entry, and
    /// what that returned on the next ones.
    pub(crate) fn enter(
        self: &Arc<Self>,
        caller: Caller<'_>,
        epochs: &Epochs,
        came: Option<Arrival>,
    ) -> (Role, Arrival) {
        let mut shard = lock(self.shard(caller.hash));
        let again = came.is_some();
        let came = came.unwrap_or(Arrival(shard.begun));
        let number = shard.begun + 1;
        let role = match shard.under_way.entry(caller.work.clone()) {
            MapEntry::Vacant(place) => {
                let in_flight = InFlight::begin(caller, number, epochs);
                place.insert(UnderWay { current: in_flight.clone(), outdated: None });
                Role::Leader(Leader::new(self, caller, in_flight, Leadership::first(number)))
            }
            MapEntry::Occupied(mut place) => {
                self.enter_current(place.get_mut(), (caller, number), epochs, came, again)
            }
        };
        if matches!(role, Role::Leader(_)) {
            shard.begun = number;
        }
        (role, came)
    }

    /// Enters one of the computations under way, or leads one that leaves an outdated one behind.
    ///
    /// A computation that is newer than the caller will do. An older one may do on the caller's first entry,
    /// unless it is known to be outdated already; after a wait it will not, or waits would add up.
    fn enter_current(
        self: &Arc<Self>,
        under_way: &mut UnderWay,
        (caller, number): (Caller<'_>, u64),
        epochs: &Epochs,
        came: Arrival,
        again: bool,
    ) -> Role {
        let current = under_way.current.clone();
        let mut state = lock(&current.state);
        if state.is_free() {
            state.participants += 1;
            let leader = state.take_lead(number, caller.watch, epochs);
            drop(state);
            return Role::Leader(Leader::new(self, caller, current, leader));
        }
        let older = came >= Arrival(state.number);
        let outdated = older && (again || !epochs.unchanged(&current.scopes, state.since));
        if outdated && under_way.outdated.is_none() {
            drop(state);
            let next = InFlight::begin(caller, number, epochs);
            under_way.current = next.clone();
            under_way.outdated = Some(current);
            return Role::Leader(Leader::new(self, caller, next, Leadership::first(number)));
        }
        state.participants += 1;
        state.look_after(&current);
        drop(state);
        Role::Waiter(Waiter { participant: Participant::new(self, caller, current), came })
    }

    /// Leads a computation of the caller's key and type, unless one is under way: another refresh would be one too
    /// many.
    pub(crate) fn lead_if_idle(self: &Arc<Self>, caller: Caller<'_>, epochs: &Epochs) -> Option<Leader> {
        let mut shard = lock(self.shard(caller.hash));
        let number = shard.begun + 1;
        let (in_flight, leader) = match shard.under_way.entry(caller.work.clone()) {
            MapEntry::Vacant(place) => {
                let in_flight = InFlight::begin(caller, number, epochs);
                place.insert(UnderWay { current: in_flight.clone(), outdated: None });
                (in_flight, Leadership::first(number))
            }
            MapEntry::Occupied(place) => {
                let in_flight = place.get().current.clone();
                let mut state = lock(&in_flight.state);
                if !state.is_free() {
                    return None;
                }
                state.participants += 1;
                let leader = state.take_lead(number, caller.watch, epochs);
                drop(state);
                (in_flight, leader)
            }
        };
        shard.begun = number;
        Some(Leader::new(self, caller, in_flight, leader))
    }

    /// How many computations are under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).under_way.len()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table of entries uses the low bits.
        &self.shards[(hash >> 32) as usize % Self::SHARDS]
    }
}

impl Shard {
    /// Takes a computation out of the table, if it is still there: a later one of its key and type stays.
    fn remove(&mut self, in_flight: &Arc<InFlight>) {
        let MapEntry::Occupied(mut place) = self.under_way.entry(in_flight.work.clone()) else { return };
        let under_way = place.get_mut();
        if under_way.outdated.as_ref().is_some_and(|behind| Arc::ptr_eq(behind, in_flight)) {
            under_way.outdated = None;
        } else if Arc::ptr_eq(&under_way.current, in_flight) {
            match under_way.outdated.take() {
                Some(behind) => under_way.current = behind,
                None => drop(place.remove()),
            }
        }
    }
}

impl InFlight {
    fn begin(caller: Caller<'_>, number: u64, epochs: &Epochs) -> Arc<Self> {
        let state = State {
            phase: Phase::Led,
            number,
            since: epochs.begin(),
            watch: caller.watch.clone(),
            lease: None,
            participants: 1,
            waiting: Vec::new(),
            free: Vec::new(),
            span: Traced::default(),
            panics: 0,
            #[cfg(not(larder_loom))]
            looked_after: false,
        };
        Arc::new(Self {
            id: InFlightId::next(),
            work: caller.work.clone(),
            scopes: caller.scopes.clone(),
            state: Mutex::new(state),
        })
    }

    /// Wakes those who wait if no leader computes for them; false once the computation has ended.
    #[cfg(not(larder_loom))]
    fn wake_if_abandoned(&self) -> bool {
        let wakers = {
            let mut state = lock(&self.state);
            if let Phase::Completed(_) = state.phase {
                return false;
            }
            if !state.is_free() {
                return true;
            }
            state.take_wakers()
        };
        crate::panic_guard::wake_all(wakers);
        true
    }
}

impl State {
    /// Whether the computation can be led on: it has no leader, or one that is abandoned.
    fn is_free(&self) -> bool {
        match self.phase {
            Phase::Led => self.watch.is_abandoned(),
            Phase::Vacant => true,
            Phase::Completed(_) => false,
        }
    }

    /// Gives the computation a new leader, who begins now.
    fn take_lead(&mut self, number: u64, watch: &Arc<Watch>, epochs: &Epochs) -> Leadership {
        let before = std::mem::replace(&mut self.phase, Phase::Led);
        self.number = number;
        self.watch = watch.clone();
        self.since = epochs.begin();
        Leadership { number, superseded: matches!(before, Phase::Led) }
    }

    /// Tells the watchdog that there is a waiter.
    fn look_after(&mut self, in_flight: &Arc<InFlight>) {
        #[cfg(not(larder_loom))]
        if !std::mem::replace(&mut self.looked_after, true) {
            watchdog::look_after(in_flight);
        }
        #[cfg(larder_loom)]
        let _ = in_flight;
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.waiting.iter_mut().filter_map(Option::take).collect()
    }

    /// Ends the lead. All are to be woken: the first to run takes a vacant computation on, so that a
    /// waiter that is never polled again holds up no other.
    #[must_use]
    fn end(&mut self, phase: Phase) -> Vec<Waker> {
        self.phase = phase;
        self.take_wakers()
    }
}

impl fmt::Debug for Singleflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singleflight").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;

#[cfg(all(test, larder_loom))]
mod model;
