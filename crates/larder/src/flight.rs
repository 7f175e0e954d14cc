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

mod waits;

use std::{
    any::{Any, TypeId},
    collections::{HashMap, hash_map::Entry as Place},
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crossbeam_utils::CachePadded;

use crate::{
    entry::{Cover, Entry},
    epoch::{Epochs, Since},
    scope::ScopeSet,
    sync::{Mutex, lock},
};

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
    /// One place for each waiter that was ever polled.
    waiting: Vec<Option<Waker>>,
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
        let came = came.unwrap_or(Arrival(shard.begun));
        let number = shard.begun + 1;
        let boarded = match shard.routes.entry(route.clone()) {
            Place::Vacant(place) => {
                let flight = Flight::begin(route, scopes, number, epochs);
                place.insert(UnderWay { current: flight.clone(), left_behind: None });
                Boarded::Lead(Lead(Seat { flights: self.clone(), hash, flight, leads: true }))
            }
            Place::Occupied(mut place) => self.board_current(place.get_mut(), hash, number, epochs, came),
        };
        if matches!(boarded, Boarded::Lead(_)) {
            shard.begun = number;
        }
        (boarded, came)
    }

    fn board_current(
        self: &Arc<Self>,
        under_way: &mut UnderWay,
        hash: u64,
        number: u64,
        epochs: &Epochs,
        came: Arrival,
    ) -> Boarded {
        let seat = |flight, leads| Seat { flights: self.clone(), hash, flight, leads };
        let current = under_way.current.clone();
        let mut state = lock(&current.state);
        if let Phase::Vacant = state.phase {
            state.aboard += 1;
            state.lead_on(number, epochs);
            drop(state);
            return Boarded::Lead(Lead(seat(current, true)));
        }
        let outdated = came >= Arrival(state.number) && !epochs.unchanged(&current.scopes, state.since);
        if outdated && under_way.left_behind.is_none() {
            drop(state);
            let next = Flight::begin(&current.route, &current.scopes, number, epochs);
            under_way.current = next.clone();
            under_way.left_behind = Some(current);
            return Boarded::Lead(Lead(seat(next, true)));
        }
        state.aboard += 1;
        drop(state);
        Boarded::Join(Join { seat: seat(current, false), came, place: None })
    }

    /// Leads a flight of `route`, unless one is under way: another refresh would be one too many.
    pub(crate) fn lead_alone(
        self: &Arc<Self>,
        (route, hash): (&Route, u64),
        scopes: &ScopeSet,
        epochs: &Epochs,
    ) -> Option<Lead> {
        let mut shard = lock(self.shard(hash));
        let Shard { routes, begun } = &mut *shard;
        let Place::Vacant(place) = routes.entry(route.clone()) else { return None };
        *begun += 1;
        let flight = Flight::begin(route, scopes, *begun, epochs);
        place.insert(UnderWay { current: flight.clone(), left_behind: None });
        Some(Lead(Seat { flights: self.clone(), hash, flight, leads: true }))
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
        let state = State { phase: Phase::Led, number, since, aboard: 1, waiting: Vec::new() };
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

    /// Ends the lead, and wakes everybody: whoever runs first takes a vacant flight on, so that a waiter
    /// that is never polled again holds up no other.
    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.waiting.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}

/// A place on a flight. The last one to leave takes the flight out of the table.
struct Seat {
    flights: Arc<Flights>,
    hash: u64,
    flight: Arc<Flight>,
    leads: bool,
}

impl Seat {
    /// Changes the flight under both locks, the table's first.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut shard = lock(self.flights.shard(self.hash));
        let mut state = lock(&self.flight.state);
        change(&mut state);
        if state.aboard == 0 || matches!(state.phase, Phase::Landed(_)) {
            shard.remove(&self.flight);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.change(|state| {
            state.aboard -= 1;
            if self.leads && matches!(state.phase, Phase::Led) {
                state.end(Phase::Vacant);
            }
        });
    }
}

/// The right, and the duty, to compute. Dropped without [`land`](Self::land), it passes to a waiter.
pub(crate) struct Lead(Seat);

impl Lead {
    /// Tells everybody aboard how it ended.
    pub(crate) fn land(self, outcome: Outcome) {
        self.0.change(|state| state.end(Phase::Landed(outcome)));
    }

    /// When this flight began: before its leader read anything.
    pub(crate) fn since(&self) -> Since {
        lock(&self.0.flight.state).since
    }

    pub(crate) fn id(&self) -> FlightId {
        self.0.flight.id
    }
}

/// A wait for somebody else's computation. Dropping it leaves the flight to the others.
pub(crate) struct Join {
    seat: Seat,
    came: Arrival,
    /// Where this waiter's waker is kept, once it was polled.
    place: Option<usize>,
}

impl Join {
    pub(crate) fn id(&self) -> FlightId {
        self.seat.flight.id
    }

    /// Waits for the flight's end.
    pub(crate) async fn outcome(mut self, epochs: &Epochs) -> Awaited {
        match poll_fn(|context| self.poll_landed(epochs, context)).await {
            Some((outcome, number)) if self.came < Arrival(number) || outcome.is_valid(epochs) => {
                Awaited::Accepted(outcome)
            }
            Some(_) => Awaited::Outdated,
            None => {
                self.seat.leads = true;
                Awaited::Lead(Lead(self.seat))
            }
        }
    }

    /// Ready with the outcome and the number of its flight, or with nothing if the lead is ours.
    fn poll_landed(&mut self, epochs: &Epochs, context: &mut Context<'_>) -> Poll<Option<(Outcome, u64)>> {
        let mut state = lock(&self.seat.flight.state);
        match &state.phase {
            Phase::Landed(outcome) => Poll::Ready(Some((outcome.clone(), state.number))),
            Phase::Led => {
                let place = *self.place.get_or_insert(state.waiting.len());
                if place == state.waiting.len() {
                    state.waiting.push(None);
                }
                state.waiting[place] = Some(context.waker().clone());
                Poll::Pending
            }
            Phase::Vacant => {
                // A flight's number is given under the lock of its shard, which is taken first.
                drop(state);
                let mut shard = lock(self.seat.flights.shard(self.seat.hash));
                let mut state = lock(&self.seat.flight.state);
                if matches!(state.phase, Phase::Vacant) {
                    shard.begun += 1;
                    state.lead_on(shard.begun, epochs);
                    return Poll::Ready(None);
                }
                drop((state, shard));
                self.poll_landed(epochs, context)
            }
        }
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
