//! Being aboard: leading a flight, or waiting for it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Arrival, Awaited, Caller, Flight, FlightId, Flights, Leader, Outcome, Phase, State, Watch};
use crate::{cache::Lease, epoch::Epochs, foreign, mutant, sync::lock};

/// A place on a flight. The last one to leave takes the flight out of the table.
pub(super) struct Seat {
    flights: Arc<Flights>,
    hash: u64,
    flight: Arc<Flight>,
    /// What this one's computation is, or would be, watched by.
    watch: Arc<Watch>,
    /// Set once this one leads.
    leads: Option<Leader>,
    /// Where this waiter's waker is kept, once it was polled.
    place: Option<usize>,
}

/// What a change of a flight lets go of. All of it is, or may be, somebody else's code, which runs when no lock is
/// held.
#[derive(Default)]
struct Released {
    wakers: Vec<Waker>,
    lease: Option<Lease>,
}

impl Seat {
    pub(super) fn new(flights: &Arc<Flights>, caller: Caller<'_>, flight: Arc<Flight>) -> Self {
        let (flights, watch) = (flights.clone(), caller.watch.clone());
        Self { flights, hash: caller.hash, flight, watch, leads: None, place: None }
    }

    /// Changes the flight under both locks, the table's first.
    #[must_use]
    fn change(&self, change: impl FnOnce(&mut State) -> Released) -> Released {
        let mut shard = lock(self.flights.shard(self.hash));
        let mut state = lock(&self.flight.state);
        let released = change(&mut state);
        if state.aboard == 0 || matches!(state.phase, Phase::Landed(_)) {
            shard.remove(&self.flight);
        }
        released
    }

    /// Whether this one computes for those who wait.
    fn is_leader(&self, state: &State) -> bool {
        let begun = self.leads.is_some_and(|leader| leader.number == state.number);
        begun && matches!(state.phase, Phase::Led)
    }

    /// Takes the lead of a flight that nobody leads, or whose leader is abandoned.
    fn take_over(&mut self, epochs: &Epochs) -> bool {
        // A flight's number is given under the lock of its shard, which is taken first.
        let mut shard = lock(self.flights.shard(self.hash));
        let mut state = lock(&self.flight.state);
        if state.is_free() {
            shard.begun += 1;
            self.leads = Some(state.lead_on(shard.begun, &self.watch, epochs));
        }
        self.leads.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut own = None;
        let released = self.change(|state| {
            state.aboard -= 1;
            if let Some(place) = self.place {
                own = state.waiting[place].take();
                state.free.push(place);
            }
            if !self.is_leader(state) {
                return Released::default();
            }
            state.panics += usize::from(std::thread::panicking());
            // Twice is no accident: the others find out for themselves at once, not one after the other.
            let phase = if state.panics < 2 { Phase::Vacant } else { Phase::Landed(Outcome::Unshared) };
            Released { wakers: state.end(phase), lease: state.lease.take() }
        });
        foreign::wake_all(released.wakers);
        let _ = foreign::contain(|| drop((released.lease, own)));
    }
}

/// The right, and the duty, to compute. Dropped without [`land`](Self::land), it passes to a waiter.
pub(crate) struct Lead(Seat);

impl Lead {
    pub(super) fn new(
        flights: &Arc<Flights>,
        caller: Caller<'_>,
        flight: Arc<Flight>,
        leader: Leader,
    ) -> Self {
        let mut seat = Seat::new(flights, caller, flight);
        seat.leads = Some(leader);
        Self(seat)
    }

    /// Tells everybody aboard how it ended; nobody if this leader was passed over. Where the value was `stored`,
    /// other processes find it.
    pub(crate) fn land(self, outcome: Outcome, stored: bool) {
        let seat = &self.0;
        let mut outcome = Some(outcome);
        let mut released = seat.change(|state| match outcome.take_if(|_| seat.is_leader(state)) {
            Some(outcome) => {
                Released { wakers: state.end(Phase::Landed(outcome)), lease: state.lease.take() }
            }
            None => Released::default(),
        });
        foreign::wake_all(released.wakers);
        let _ = foreign::contain(|| {
            if let Some(lease) = released.lease.as_mut().filter(|_| stored) {
                lease.fill();
            }
            drop(released.lease);
        });
    }

    /// Keeps other processes from computing the same while the flight is led. A leader that was passed over has
    /// no use for it.
    pub(crate) fn hold(&self, lease: Lease) {
        let mut lease = Some(lease);
        {
            let mut state = lock(&self.0.flight.state);
            if self.0.is_leader(&state) {
                std::mem::swap(&mut state.lease, &mut lease);
            }
        }
        drop(lease);
    }

    /// Whether there is a lease, from this leader or from one that was passed over.
    pub(crate) fn has_lease(&self) -> bool {
        lock(&self.0.flight.state).lease.is_some()
    }

    /// Whether this one took over from a leader that was passed over.
    pub(crate) fn took_over(&self) -> bool {
        self.0.leads.is_some_and(|leader| leader.passed_over)
    }

    /// Whether somebody else computes by now, because this computation was woken and not polled.
    pub(crate) fn is_passed_over(&self) -> bool {
        !self.0.is_leader(&lock(&self.0.flight.state))
    }

    /// From here on the computation is watched by this.
    pub(crate) fn watched_by(&mut self, watch: &Arc<Watch>) {
        self.0.watch = watch.clone();
        let mut state = lock(&self.0.flight.state);
        if self.0.is_leader(&state) {
            state.watch = watch.clone();
        }
    }

    /// When this flight began.
    #[cfg(test)]
    pub(crate) fn since(&self) -> crate::epoch::Since {
        lock(&self.0.flight.state).since
    }

    pub(crate) fn id(&self) -> FlightId {
        self.0.flight.id
    }
}

/// A wait for somebody else's computation. Dropping it leaves the flight to the others.
pub(crate) struct Join {
    pub(super) seat: Seat,
    pub(super) came: Arrival,
}

impl Join {
    pub(crate) fn id(&self) -> FlightId {
        self.seat.flight.id
    }

    /// Leads the flight, if its leader was dropped or is abandoned.
    pub(crate) fn take_over(mut self, epochs: &Epochs) -> Result<Lead, Self> {
        if self.seat.take_over(epochs) { Ok(Lead(self.seat)) } else { Err(self) }
    }

    /// Waits for the flight's end.
    pub(crate) async fn outcome(mut self, epochs: &Epochs) -> Awaited {
        loop {
            let Some((outcome, number)) = poll_fn(|context| self.poll_end(context)).await else {
                match self.take_over(epochs) {
                    Ok(lead) => return Awaited::Lead(lead),
                    Err(join) => self = join,
                }
                continue;
            };
            let accepts = self.came < Arrival(number)
                || outcome.is_valid(epochs)
                || mutant::is("joins-any-flight")
                || mutant::is("flight-judged-by-own-scopes")
                    && epochs.unchanged(&self.seat.flight.scopes, lock(&self.seat.flight.state).since);
            return if accepts { Awaited::Accepted(outcome) } else { Awaited::Outdated };
        }
    }

    /// Ready with the outcome and the number of its flight, or with nothing if nobody leads it.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<(Outcome, u64)>> {
        let waker = context.waker().clone();
        let mut state = lock(&self.seat.flight.state);
        if let Phase::Landed(outcome) = &state.phase {
            return Poll::Ready(Some((outcome.clone(), state.number)));
        }
        if state.is_free() {
            return Poll::Ready(None);
        }
        let place = *self.seat.place.get_or_insert_with(|| {
            state.free.pop().unwrap_or_else(|| {
                state.waiting.push(None);
                state.waiting.len() - 1
            })
        });
        let before = state.waiting[place].replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}
