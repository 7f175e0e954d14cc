//! One computation a key: who leads, who waits, and whose outcome counts.
//!
//! A caller who finds nothing in the cache *boards*. Either it leads a new flight, or it waits for the
//! one under way. A waiter accepts the outcome if the flight began after the waiter came, or if nothing
//! that covers the outcome was invalidated since the flight began; otherwise it boards once more, and
//! then only a flight begun after it came will do. So nobody waits for more than two computations. A key
//! has at most two under way: a flight that is outdated already is not joined but left behind, once.
//!
//! A leader that is dropped leaves its flight vacant, and the first of the waiters to notice leads it on. So
//! it is with a leader that was woken and not polled for a while (see [`watch`]); if that one is polled again,
//! it has lost the flight: what it computes is its own caller's, and neither stored nor given to others.
//! No lock is held while anybody's future runs.

mod seat;
mod waits;
mod watch;
#[cfg(not(larder_loom))]
mod watchdog;

use std::{
    any::{Any, TypeId},
    collections::{HashMap, hash_map::Entry as Place},
    fmt,
    sync::Arc,
    task::Waker,
};

use crossbeam_utils::CachePadded;

use crate::{
    cache::Lease,
    entry::{Cover, Entry},
    epoch::{Epochs, Since},
    scope::ScopeSet,
    sync::{Mutex, lock},
};

use seat::Seat;
pub(crate) use seat::{Join, Lead};
pub(crate) use waits::{FlightId, Wait};
pub(crate) use watch::Watch;

/// What a flight is for: a key, and the type of its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) key: Arc<str>,
    pub(crate) value_type: TypeId,
}

/// How a flight ended.
#[derive(Clone)]
pub(crate) enum Outcome {
    Value(Entry),
    Failure(Failure),
    /// The computation kept its outcome to itself: whoever waited computes for himself.
    Unshared,
}

/// A failed computation's error, in the form in which callers of the same kind can take it.
#[derive(Clone)]
pub(crate) struct Failure {
    /// None if the error cannot be given to another caller.
    pub(crate) error: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) cover: Arc<Cover>,
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

/// The flights of one cache.
pub(crate) struct Flights {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
}

#[derive(Default)]
struct Shard {
    routes: HashMap<Route, UnderWay>,
    /// Numbers flights in the order of their beginnings.
    begun: u64,
}

/// The flights of one route: at most two, the older of them outdated.
struct UnderWay {
    current: Arc<Flight>,
    left_behind: Option<Arc<Flight>>,
}

/// A computation under way.
struct Flight {
    id: FlightId,
    route: Route,
    /// The scopes of the key and its static tags: what is known before the computation ends.
    scopes: ScopeSet,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Names the leader, too: one that began later has another one.
    number: u64,
    since: Since,
    /// Tells whether the leader is abandoned.
    watch: Arc<Watch>,
    /// What keeps other processes from computing the same. It stays with the flight when the leader is passed
    /// over.
    lease: Option<Lease>,
    aboard: usize,
    /// A place for each waiter that was polled.
    waiting: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// How many leaders panicked.
    panics: usize,
    /// Whether the watchdog knows of it.
    #[cfg(not(larder_loom))]
    looked_after: bool,
}

enum Phase {
    Led,
    /// The leader was dropped: whoever comes, or notices, leads on.
    Vacant,
    Landed(Outcome),
}

/// Who computes for those who wait.
#[derive(Debug, Clone, Copy)]
struct Leader {
    /// The number of the flight when this one began. Another one there: this one was passed over.
    number: u64,
    /// Whether this one took over from one that was abandoned.
    passed_over: bool,
}

impl Leader {
    fn first(number: u64) -> Self {
        Self { number, passed_over: false }
    }
}

/// When a caller came: what begins later is as new as it can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(u64);

/// A caller of a flight: what it wants, and what its own computation would be watched by.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) route: &'a Route,
    pub(crate) hash: u64,
    /// The scopes of the key and its static tags.
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) watch: &'a Arc<Watch>,
}

/// What a caller does after boarding.
pub(crate) enum Boarded {
    /// Computes, and tells the others.
    Lead(Lead),
    /// Waits.
    Join(Join),
}

/// What a waiter does at the end of its wait.
pub(crate) enum Awaited {
    /// Takes this outcome.
    Accepted(Outcome),
    /// Boards again: the outcome is older than an invalidation that may have come before the caller.
    Outdated,
    /// Leads: the leader was dropped, or is abandoned.
    Lead(Lead),
}

impl Flights {
    /// One under the model checker, which follows each lock.
    const SHARDS: usize = if cfg!(larder_loom) { 1 } else { 64 };

    pub(crate) fn new() -> Self {
        Self { shards: std::iter::repeat_with(CachePadded::default).take(Self::SHARDS).collect() }
    }

    /// Leads or joins the flight of the caller's route. `came` is none on a caller's first boarding, and what
    /// that returned on the next ones.
    pub(crate) fn board(
        self: &Arc<Self>,
        caller: Caller<'_>,
        epochs: &Epochs,
        came: Option<Arrival>,
    ) -> (Boarded, Arrival) {
        let mut shard = lock(self.shard(caller.hash));
        let again = came.is_some();
        let came = came.unwrap_or(Arrival(shard.begun));
        let number = shard.begun + 1;
        let boarded = match shard.routes.entry(caller.route.clone()) {
            Place::Vacant(place) => {
                let flight = Flight::begin(caller, number, epochs);
                place.insert(UnderWay { current: flight.clone(), left_behind: None });
                Boarded::Lead(Lead::new(self, caller, flight, Leader::first(number)))
            }
            Place::Occupied(mut place) => {
                self.board_current(place.get_mut(), (caller, number), epochs, came, again)
            }
        };
        if matches!(boarded, Boarded::Lead(_)) {
            shard.begun = number;
        }
        (boarded, came)
    }

    /// Boards one of the flights under way, or leads one that leaves an outdated one behind.
    ///
    /// A flight that is newer than the caller will do. An older one may do on the caller's first boarding,
    /// unless it is known to be outdated already; after a wait it will not, or waits would add up.
    fn board_current(
        self: &Arc<Self>,
        under_way: &mut UnderWay,
        (caller, number): (Caller<'_>, u64),
        epochs: &Epochs,
        came: Arrival,
        again: bool,
    ) -> Boarded {
        let current = under_way.current.clone();
        let mut state = lock(&current.state);
        if state.is_free() {
            state.aboard += 1;
            let leader = state.lead_on(number, caller.watch, epochs);
            drop(state);
            return Boarded::Lead(Lead::new(self, caller, current, leader));
        }
        let older = came >= Arrival(state.number);
        let outdated = older && (again || !epochs.unchanged(&current.scopes, state.since));
        if outdated && under_way.left_behind.is_none() {
            drop(state);
            let next = Flight::begin(caller, number, epochs);
            under_way.current = next.clone();
            under_way.left_behind = Some(current);
            return Boarded::Lead(Lead::new(self, caller, next, Leader::first(number)));
        }
        state.aboard += 1;
        state.look_after(&current);
        drop(state);
        Boarded::Join(Join { seat: Seat::new(self, caller, current), came })
    }

    /// Leads a flight of the caller's route, unless one is under way: another refresh would be one too many.
    pub(crate) fn lead_alone(self: &Arc<Self>, caller: Caller<'_>, epochs: &Epochs) -> Option<Lead> {
        let mut shard = lock(self.shard(caller.hash));
        let number = shard.begun + 1;
        let (flight, leader) = match shard.routes.entry(caller.route.clone()) {
            Place::Vacant(place) => {
                let flight = Flight::begin(caller, number, epochs);
                place.insert(UnderWay { current: flight.clone(), left_behind: None });
                (flight, Leader::first(number))
            }
            Place::Occupied(place) => {
                let flight = place.get().current.clone();
                let mut state = lock(&flight.state);
                if !state.is_free() {
                    return None;
                }
                state.aboard += 1;
                let leader = state.lead_on(number, caller.watch, epochs);
                drop(state);
                (flight, leader)
            }
        };
        shard.begun = number;
        Some(Lead::new(self, caller, flight, leader))
    }

    /// How many flights are under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).routes.len()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The near table and the store use the low bits.
        &self.shards[(hash >> 32) as usize % Self::SHARDS]
    }
}

impl Shard {
    /// Takes a flight out of the table, if it is still there: a later one of its route stays.
    fn remove(&mut self, flight: &Arc<Flight>) {
        let Place::Occupied(mut place) = self.routes.entry(flight.route.clone()) else { return };
        let under_way = place.get_mut();
        if under_way.left_behind.as_ref().is_some_and(|behind| Arc::ptr_eq(behind, flight)) {
            under_way.left_behind = None;
        } else if Arc::ptr_eq(&under_way.current, flight) {
            match under_way.left_behind.take() {
                Some(behind) => under_way.current = behind,
                None => drop(place.remove()),
            }
        }
    }
}

impl Flight {
    fn begin(caller: Caller<'_>, number: u64, epochs: &Epochs) -> Arc<Self> {
        let state = State {
            phase: Phase::Led,
            number,
            since: epochs.begin(),
            watch: caller.watch.clone(),
            lease: None,
            aboard: 1,
            waiting: Vec::new(),
            free: Vec::new(),
            panics: 0,
            #[cfg(not(larder_loom))]
            looked_after: false,
        };
        Arc::new(Self {
            id: FlightId::next(),
            route: caller.route.clone(),
            scopes: caller.scopes.clone(),
            state: Mutex::new(state),
        })
    }

    /// Wakes those who wait if nobody computes for them; false once the flight has ended.
    #[cfg(not(larder_loom))]
    fn wake_if_abandoned(&self) -> bool {
        let wakers = {
            let mut state = lock(&self.state);
            if let Phase::Landed(_) = state.phase {
                return false;
            }
            if !state.is_free() {
                return true;
            }
            state.take_wakers()
        };
        crate::foreign::wake_all(wakers);
        true
    }
}

impl State {
    /// Whether the flight can be led on: it has no leader, or one that is abandoned.
    fn is_free(&self) -> bool {
        match self.phase {
            Phase::Led => self.watch.is_abandoned(),
            Phase::Vacant => true,
            Phase::Landed(_) => false,
        }
    }

    /// Gives the flight a new leader, who begins now.
    fn lead_on(&mut self, number: u64, watch: &Arc<Watch>, epochs: &Epochs) -> Leader {
        let before = std::mem::replace(&mut self.phase, Phase::Led);
        self.number = number;
        self.watch = watch.clone();
        self.since = epochs.begin();
        Leader { number, passed_over: matches!(before, Phase::Led) }
    }

    /// Tells the watchdog that somebody waits.
    fn look_after(&mut self, flight: &Arc<Flight>) {
        #[cfg(not(larder_loom))]
        if !std::mem::replace(&mut self.looked_after, true) {
            watchdog::look_after(flight);
        }
        #[cfg(larder_loom)]
        let _ = flight;
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.waiting.iter_mut().filter_map(Option::take).collect()
    }

    /// Ends the lead. Everybody is to be woken: whoever runs first takes a vacant flight on, so that a
    /// waiter that is never polled again holds up no other.
    #[must_use]
    fn end(&mut self, phase: Phase) -> Vec<Waker> {
        self.phase = phase;
        self.take_wakers()
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;

#[cfg(all(test, larder_loom))]
mod model;
