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

mod in_flight;
mod participant;
mod shards;
mod wait_graph;
mod watch;
#[cfg(not(larder_loom))]
mod watchdog;

use std::{collections::hash_map::Entry as MapEntry, fmt, sync::Arc};

pub(crate) use self::{
    in_flight::{Arrival, Caller, Failure, Outcome, WorkKey},
    participant::{Awaited, Leader, Waiter},
    wait_graph::{InFlightId, InFlightIds},
    watch::Watch,
};
use self::{
    in_flight::{InFlight, Leadership},
    participant::Participant,
    shards::{Shards, UnderWay},
};
use crate::{epoch::Epochs, sync::lock};

/// The computations of one cache.
pub(crate) struct Singleflight(Arc<Shards>);

/// What a caller does after entering.
pub(crate) enum Role {
    /// Computes, and tells the others.
    Leader(Leader),
    /// Waits.
    Waiter(Waiter),
}

impl Singleflight {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shards::new()))
    }

    /// Leads or joins the computation of the caller's key and type. `came` is none on a caller's first entry, and
    /// what that returned on the next ones.
    pub(crate) fn enter(
        &self,
        caller: Caller<'_>,
        epochs: &Epochs,
        came: Option<Arrival>,
    ) -> (Role, Arrival) {
        let mut shard = lock(self.0.of(caller.work.hash));
        let again = came.is_some();
        let came = came.unwrap_or(Arrival(shard.begun));
        let number = shard.begun + 1;
        let role = match shard.under_way.entry(caller.work.clone()) {
            MapEntry::Vacant(place) => {
                let in_flight = InFlight::begin(caller, number, epochs);
                place.insert(UnderWay { current: in_flight.clone(), outdated: None });
                Role::Leader(Leader::new(&self.0, caller, in_flight, Leadership::first(number)))
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
        &self,
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
            return Role::Leader(Leader::new(&self.0, caller, current, leader));
        }
        let older = came >= Arrival(state.number);
        let outdated = older && (again || !epochs.is_current(&current.scopes, state.since));
        if outdated && under_way.outdated.is_none() {
            drop(state);
            let next = InFlight::begin(caller, number, epochs);
            under_way.current = next.clone();
            under_way.outdated = Some(current);
            return Role::Leader(Leader::new(&self.0, caller, next, Leadership::first(number)));
        }
        state.participants += 1;
        #[cfg(not(larder_loom))]
        if state.needs_watchdog() {
            watchdog::look_after(&current);
        }
        drop(state);
        Role::Waiter(Waiter { participant: Participant::new(&self.0, caller, current), came })
    }

    /// Leads a computation of the caller's key and type, unless one is under way: another refresh would be one too
    /// many.
    pub(crate) fn lead_if_idle(&self, caller: Caller<'_>, epochs: &Epochs) -> Option<Leader> {
        let mut shard = lock(self.0.of(caller.work.hash));
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
        Some(Leader::new(&self.0, caller, in_flight, leader))
    }

    /// How many computations are under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
