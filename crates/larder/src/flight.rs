//! One computation a key: who leads, who waits, and whose outcome counts.
//!
//! A caller who finds nothing in the cache *boards*. Either it leads a new flight, or it waits for the
//! one under way. A waiter accepts the outcome if the flight began after the waiter came, or if nothing
//! that covers the outcome was invalidated since the flight began; otherwise it boards once more, and
//! then only a flight begun after it came will do. So nobody waits for more than two computations. A key
//! has at most two under way: a flight that is outdated already is not joined but left behind, once.
//!
//! A leader that is dropped leaves its flight vacant, and the first of the waiters to notice leads it on.
//! No lock is held while anybody's future runs.

mod seat;
mod waits;

use std::{
    any::{Any, TypeId},
    collections::{HashMap, hash_map::Entry as Place},
    fmt,
    sync::Arc,
    task::Waker,
};

use crossbeam_utils::CachePadded;

use crate::{
    entry::{Cover, Entry},
    epoch::{Epochs, Since},
    scope::ScopeSet,
    sync::{Mutex, lock},
};

use seat::Seat;
pub(crate) use seat::{Join, Lead};
pub(crate) use waits::{FlightId, Wait};

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
    number: u64,
    since: Since,
    aboard: usize,
    /// A place for each waiter that was polled.
    waiting: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// How many leaders panicked.
    panics: usize,
}

enum Phase {
    Led,
    /// The leader was dropped: whoever comes, or notices, leads on.
    Vacant,
    Landed(Outcome),
}

/// When a caller came: what begins later is as new as it can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(u64);

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
    /// Leads: the leader was dropped.
    Lead(Lead),
}

impl Flights {
    /// One under the model checker, which follows each lock.
    const SHARDS: usize = if cfg!(larder_loom) { 1 } else { 64 };

    pub(crate) fn new() -> Self {
        Self { shards: std::iter::repeat_with(CachePadded::default).take(Self::SHARDS).collect() }
    }

    /// Leads or joins the flight of `route`. `came` is none on a caller's first boarding, and what that
    /// returned on the next ones.
    pub(crate) fn board(
        self: &Arc<Self>,
        (route, hash): (&Route, u64),
        scopes: &ScopeSet,
        epochs: &Epochs,
        came: Option<Arrival>,
    ) -> (Boarded, Arrival) {
        let mut shard = lock(self.shard(hash));
        let again = came.is_some();
        let came = came.unwrap_or(Arrival(shard.begun));
        let number = shard.begun + 1;
        let boarded = match shard.routes.entry(route.clone()) {
            Place::Vacant(place) => {
                let flight = Flight::begin(route, scopes, number, epochs);
                place.insert(UnderWay { current: flight.clone(), left_behind: None });
                Boarded::Lead(Lead(Seat::new(self, hash, flight, true)))
            }
            Place::Occupied(mut place) => {
                self.board_current(place.get_mut(), (hash, number), epochs, came, again)
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
        (hash, number): (u64, u64),
        epochs: &Epochs,
        came: Arrival,
        again: bool,
    ) -> Boarded {
        let current = under_way.current.clone();
        let mut state = lock(&current.state);
        if let Phase::Vacant = state.phase {
            state.aboard += 1;
            state.lead_on(number, epochs);
            drop(state);
            return Boarded::Lead(Lead(Seat::new(self, hash, current, true)));
        }
        let older = came >= Arrival(state.number);
        let outdated = older && (again || !epochs.unchanged(&current.scopes, state.since));
        if outdated && under_way.left_behind.is_none() {
            drop(state);
            let next = Flight::begin(&current.route, &current.scopes, number, epochs);
            under_way.current = next.clone();
            under_way.left_behind = Some(current);
            return Boarded::Lead(Lead(Seat::new(self, hash, next, true)));
        }
        state.aboard += 1;
        drop(state);
        Boarded::Join(Join { seat: Seat::new(self, hash, current, false), came })
    }

    /// Leads a flight of `route`, unless one is under way: another refresh would be one too many.
    pub(crate) fn lead_alone(
        self: &Arc<Self>,
        (route, hash): (&Route, u64),
        scopes: &ScopeSet,
        epochs: &Epochs,
    ) -> Option<Lead> {
        let mut shard = lock(self.shard(hash));
        let number = shard.begun + 1;
        let flight = match shard.routes.entry(route.clone()) {
            Place::Vacant(place) => {
                let flight = Flight::begin(route, scopes, number, epochs);
                place.insert(UnderWay { current: flight.clone(), left_behind: None });
                flight
            }
            Place::Occupied(place) => {
                let flight = place.get().current.clone();
                let mut state = lock(&flight.state);
                if !matches!(state.phase, Phase::Vacant) {
                    return None;
                }
                state.aboard += 1;
                state.lead_on(number, epochs);
                drop(state);
                flight
            }
        };
        shard.begun = number;
        Some(Lead(Seat::new(self, hash, flight, true)))
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
    fn begin(route: &Route, scopes: &ScopeSet, number: u64, epochs: &Epochs) -> Arc<Self> {
        let since = epochs.begin();
        let state = State {
            phase: Phase::Led,
            number,
            since,
            aboard: 1,
            waiting: Vec::new(),
            free: Vec::new(),
            panics: 0,
        };
        Arc::new(Self {
            id: FlightId::next(),
            route: route.clone(),
            scopes: scopes.clone(),
            state: Mutex::new(state),
        })
    }
}

impl State {
    /// Gives the flight a new leader, who begins now.
    fn lead_on(&mut self, number: u64, epochs: &Epochs) {
        self.phase = Phase::Led;
        self.number = number;
        self.since = epochs.begin();
    }

    /// Ends the lead. Everybody is to be woken: whoever runs first takes a vacant flight on, so that a
    /// waiter that is never polled again holds up no other.
    #[must_use]
    fn end(&mut self, phase: Phase) -> Vec<Waker> {
        self.phase = phase;
        self.waiting.iter_mut().filter_map(Option::take).collect()
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
