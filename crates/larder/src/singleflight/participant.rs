//! Being a participant: leading a computation, or waiting for it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    in_flight::{Arrival, Caller, InFlight, InFlightState, Leadership, Outcome, Phase},
    shards::Shards,
    wait_graph::{InFlightId, InFlightIds, Wait},
    watch::Watch,
};
use crate::{
    cache::Lease,
    epoch::Epochs,
    mutant::{self, Rule},
    panic_guard,
    spans::Traced,
    sync::lock,
};

/// A place on a computation. The last one to leave takes the computation out of the table.
pub(super) struct Participant {
    shards: Arc<Shards>,
    in_flight: Arc<InFlight>,
    /// What this one's computation is, or would be, watched by.
    watch: Arc<Watch>,
    /// Set once this one leads.
    leadership: Option<Leadership>,
    /// Where this waiter's waker is kept, once it was polled.
    place: Option<usize>,
    has_left: bool,
}

/// What a change of a computation lets go of. All of it is, or may be, foreign code, which runs when no lock is held.
#[derive(Default)]
struct Released {
    wakers: Vec<Waker>,
    /// The waker of the one that leaves.
    own: Option<Waker>,
    lease: Option<Lease>,
    /// What the computation was watched by, whose owner's waker goes with it.
    watch: Option<Arc<Watch>>,
}

impl Participant {
    pub(super) fn new(shards: &Arc<Shards>, caller: Caller<'_>, in_flight: Arc<InFlight>) -> Self {
        let (shards, watch) = (shards.clone(), caller.watch.clone());
        Self { shards, in_flight, watch, leadership: None, place: None, has_left: false }
    }

    /// Leaves the computation. A leader ends its lead: with the outcome that all who wait are told, or without one.
    #[must_use]
    fn leave(&mut self, mut outcome: Option<Outcome>) -> Released {
        self.has_left = true;
        // Both locks, the table's first. The outcome of one that does not lead is dropped after them.
        let mut shard = lock(self.shards.of(self.in_flight.work.hash));
        let mut state = lock(&self.in_flight.state);
        state.participants -= 1;
        let mut released = Released::default();
        if let Some(place) = self.place {
            released.own = state.waiting[place].take();
            state.free.push(place);
        }
        if self.is_leader(&state) {
            let phase = match outcome.take() {
                Some(outcome) => Phase::Completed(outcome),
                None => {
                    // Of none: the next leader, under locks, has nothing to let go of.
                    released.watch = Some(std::mem::replace(&mut state.watch, Watch::new(Duration::MAX)));
                    state.abandoned()
                }
            };
            released.wakers = state.end(phase);
            released.lease = state.lease.take();
        }
        if state.participants == 0 || matches!(state.phase, Phase::Completed(_)) {
            shard.remove(&self.in_flight);
        }
        released
    }

    /// Whether this one computes for those who wait.
    fn is_leader(&self, state: &InFlightState) -> bool {
        let begun = self.leadership.is_some_and(|leader| leader.number == state.number);
        begun && matches!(state.phase, Phase::Led)
    }

    /// Takes the lead of a computation that has no leader, or whose leader is abandoned.
    fn take_over(&mut self, epochs: &Epochs) -> bool {
        // A computation's number is given under the lock of its shard, which is taken first.
        let mut shard = lock(self.shards.of(self.in_flight.work.hash));
        let mut state = lock(&self.in_flight.state);
        if state.is_free() {
            shard.begun += 1;
            self.leadership = Some(state.take_lead(shard.begun, &self.watch, epochs));
        }
        self.leadership.is_some()
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if !self.has_left {
            let Released { wakers, own, lease, watch } = self.leave(None);
            panic_guard::wake_all(wakers);
            let _ = panic_guard::contain(|| drop((lease, own, watch)));
        }
    }
}

/// The right, and the duty, to compute. Dropped without [`complete`](Self::complete), it passes to a waiter.
pub(crate) struct Leader(Participant);

impl Leader {
    pub(super) fn new(
        shards: &Arc<Shards>,
        caller: Caller<'_>,
        in_flight: Arc<InFlight>,
        leader: Leadership,
    ) -> Self {
        let mut participant = Participant::new(shards, caller, in_flight);
        participant.leadership = Some(leader);
        Self(participant)
    }

    /// Tells all who wait how it ended; none of them if this leader was superseded. Where the value was `stored`,
    /// other processes find it.
    pub(crate) fn complete(mut self, outcome: Outcome, stored: bool) {
        let Released { wakers, own, mut lease, .. } = self.0.leave(Some(outcome));
        panic_guard::wake_all(wakers);
        let _ = panic_guard::contain(|| {
            if let Some(lease) = lease.as_mut().filter(|_| stored) {
                lease.fill();
            }
            drop((lease, own));
        });
    }

    /// Keeps other processes from computing the same while the computation is led. A leader that was superseded has
    /// no use for it.
    pub(crate) fn hold(&self, lease: Lease) {
        let mut lease = Some(lease);
        {
            let mut state = lock(&self.0.in_flight.state);
            if self.0.is_leader(&state) {
                std::mem::swap(&mut state.lease, &mut lease);
            }
        }
        drop(lease);
    }

    /// Tells those who wait what their spans follow.
    pub(crate) fn set_span(&self, span: &Traced) {
        if !span.is_open() {
            return;
        }
        let mut span = span.clone();
        {
            let mut state = lock(&self.0.in_flight.state);
            if self.0.is_leader(&state) {
                std::mem::swap(&mut state.span, &mut span);
            }
        }
        // Not under the lock: it may be the last owner of another leader's.
        drop(span);
    }

    /// Whether there is a lease, from this leader or from one that was superseded.
    pub(crate) fn has_lease(&self) -> bool {
        lock(&self.0.in_flight.state).lease.is_some()
    }

    /// Whether this one took over from a leader that was superseded.
    pub(crate) fn took_over(&self) -> bool {
        self.0.leadership.is_some_and(|leader| leader.superseded)
    }

    /// Whether another caller computes by now, because this computation was woken and not polled.
    pub(crate) fn is_superseded(&self) -> bool {
        !self.0.is_leader(&lock(&self.0.in_flight.state))
    }

    /// From here on the computation is watched by this.
    pub(crate) fn watched_by(&mut self, watch: &Arc<Watch>) {
        // Each is dropped after the lock: the waker of an owner goes with it.
        let mut before = std::mem::replace(&mut self.0.watch, watch.clone());
        let mut state = lock(&self.0.in_flight.state);
        if self.0.is_leader(&state) {
            before = std::mem::replace(&mut state.watch, watch.clone());
        }
        drop(state);
        drop(before);
    }

    /// When this computation began.
    #[cfg(test)]
    pub(crate) fn since(&self) -> crate::epoch::ReadVersion {
        lock(&self.0.in_flight.state).since
    }

    pub(crate) fn id(&self) -> InFlightId {
        self.0.in_flight.node.id
    }

    /// It is computed together with others, by this batch.
    pub(crate) fn computed_in(&self, batch: InFlightId) {
        self.0.in_flight.node.join(batch);
    }

    /// See [`Wait::begin`].
    pub(crate) fn awaited_by(&self, waiting: InFlightIds) -> Option<Wait> {
        Wait::begin(waiting, &self.0.in_flight)
    }
}

/// A computation that was waited for.
pub(crate) struct Followed(Arc<InFlight>);

impl Followed {
    /// Its span.
    pub(crate) fn span(&self) -> Traced {
        lock(&self.0.state).span.clone()
    }
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

/// A wait for another caller's computation. Dropping it leaves the computation to the others.
pub(crate) struct Waiter {
    pub(super) participant: Participant,
    pub(super) came: Arrival,
}

impl Waiter {
    /// See [`Wait::begin`].
    pub(crate) fn awaited_by(&self, waiting: InFlightIds) -> Option<Wait> {
        Wait::begin(waiting, &self.participant.in_flight)
    }

    /// The computation that is waited for.
    pub(crate) fn computation(&self) -> Followed {
        Followed(self.participant.in_flight.clone())
    }

    /// Leads the computation, if its leader was dropped or is abandoned.
    pub(crate) fn take_over(mut self, epochs: &Epochs) -> Result<Leader, Self> {
        if self.participant.take_over(epochs) { Ok(Leader(self.participant)) } else { Err(self) }
    }

    /// Waits for the computation's end.
    pub(crate) async fn outcome(mut self, epochs: &Epochs) -> Awaited {
        loop {
            let Some((outcome, number)) = poll_fn(|context| self.poll_end(context)).await else {
                match self.take_over(epochs) {
                    Ok(lead) => return Awaited::Leader(lead),
                    Err(join) => self = join,
                }
                continue;
            };
            let accepts = self.came < Arrival(number)
                || outcome.is_valid(epochs)
                || mutant::is(Rule::JoinsAnyComputation)
                || mutant::is(Rule::ComputationJudgedByOwnScopes)
                    && epochs.unchanged(
                        &self.participant.in_flight.scopes,
                        lock(&self.participant.in_flight.state).since,
                    );
            return if accepts { Awaited::Accepted(outcome) } else { Awaited::Outdated };
        }
    }

    /// Ready with the outcome and the number of its computation, or with nothing if it has no leader.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<(Outcome, u64)>> {
        let waker = context.waker().clone();
        let mut state = lock(&self.participant.in_flight.state);
        if let Phase::Completed(outcome) = &state.phase {
            return Poll::Ready(Some((outcome.clone(), state.number)));
        }
        if state.is_free() {
            return Poll::Ready(None);
        }
        let place = *self.participant.place.get_or_insert_with(|| {
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
