//! Being aboard: leading a flight, or waiting for it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Arrival, Awaited, Flight, FlightId, Flights, Outcome, Phase, State};
use crate::{epoch::Epochs, mutant, sync::lock};

/// A place on a flight. The last one to leave takes the flight out of the table.
pub(super) struct Seat {
    flights: Arc<Flights>,
    hash: u64,
    flight: Arc<Flight>,
    leads: bool,
    /// Where this waiter's waker is kept, once it was polled.
    place: Option<usize>,
}

impl Seat {
    pub(super) fn new(flights: &Arc<Flights>, hash: u64, flight: Arc<Flight>, leads: bool) -> Self {
        Self { flights: flights.clone(), hash, flight, leads, place: None }
    }

    /// Changes the flight under both locks, the table's first. Wakers are somebody else's code, and are
    /// woken and dropped by the caller, when no lock is held.
    #[must_use]
    fn change(&self, change: impl FnOnce(&mut State) -> Vec<Waker>) -> Vec<Waker> {
        let mut shard = lock(self.flights.shard(self.hash));
        let mut state = lock(&self.flight.state);
        let wakers = change(&mut state);
        if state.aboard == 0 || matches!(state.phase, Phase::Landed(_)) {
            shard.remove(&self.flight);
        }
        wakers
    }

    /// Takes the lead of a vacant flight.
    fn take_over(&mut self, epochs: &Epochs) -> bool {
        // A flight's number is given under the lock of its shard, which is taken first.
        let mut shard = lock(self.flights.shard(self.hash));
        let mut state = lock(&self.flight.state);
        self.leads = matches!(state.phase, Phase::Vacant);
        if self.leads {
            shard.begun += 1;
            state.lead_on(shard.begun, epochs);
        }
        self.leads
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut own = None;
        let wakers = self.change(|state| {
            state.aboard -= 1;
            if let Some(place) = self.place {
                own = state.waiting[place].take();
                state.free.push(place);
            }
            if !self.leads || !matches!(state.phase, Phase::Led) {
                return Vec::new();
            }
            state.panics += usize::from(std::thread::panicking());
            // Twice is no accident: the others find out for themselves at once, not one after the other.
            state.end(if state.panics < 2 { Phase::Vacant } else { Phase::Landed(Outcome::Unshared) })
        });
        wakers.into_iter().for_each(Waker::wake);
        drop(own);
    }
}

/// The right, and the duty, to compute. Dropped without [`land`](Self::land), it passes to a waiter.
pub(crate) struct Lead(pub(super) Seat);

impl Lead {
    /// Tells everybody aboard how it ended.
    pub(crate) fn land(self, outcome: Outcome) {
        let wakers = self.0.change(|state| state.end(Phase::Landed(outcome)));
        wakers.into_iter().for_each(Waker::wake);
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

    /// Leads the flight, if its leader was dropped.
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
        match &state.phase {
            Phase::Landed(outcome) => Poll::Ready(Some((outcome.clone(), state.number))),
            Phase::Vacant => Poll::Ready(None),
            Phase::Led => {
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
    }
}
