//! The steps of a request for one key: see the drawing in [`read_through`](super).

use std::time::Instant;

use super::{
    patience::Patience,
    request::{Refreshed, Request, Step},
};
use crate::{
    cache::Cache,
    compute_turns::Turn,
    dependencies,
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    outcome::{self, NotStored, Source, Tier},
    panic_guard,
    singleflight::{Arrival, Awaited, Leader, Outcome, Role, Waiter},
    value::{AnyValue, LocalValue},
};

/// What a request remembers from step to step.
#[derive(Default)]
pub(super) struct Progress {
    /// What may be served if there will be nothing better.
    pub(super) stale: Option<Entry>,
    /// It is fresh, and what lies behind memory is to be asked first.
    pub(super) asks_further: bool,
    /// When the caller first entered singleflight.
    pub(super) arrival: Option<Arrival>,
    /// The same as a time, where other processes may be waited for: since then it may have waited.
    pub(super) began: Option<Instant>,
    /// Its turn to compute, if it had to wait for one.
    pub(super) turn: Option<Turn>,
}

impl<V, E> Step<V, E> {
    /// Whether the request leads a computation: then it may wait for no other one.
    pub(super) fn is_leader(&self) -> bool {
        matches!(self, Self::Read(..) | Self::Lease(..) | Self::Compute(Some(_), _))
    }
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Goes on with what a lookup found that was not fresh: refreshes it, or serves it if another caller does.
    pub(super) fn start<V: LocalValue, E>(
        &self,
        found: Option<(Entry, Freshness)>,
        progress: &mut Progress,
    ) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        if !self.core().is_enabled() {
            return Step::Compute(None, None);
        }
        match found {
            Some((entry, freshness @ Freshness::RefreshAhead)) if self.policy.idle.is_some() => {
                Step::Prolong(entry, freshness, Tier::Memory)
            }
            Some((entry, freshness)) if self.is_paused() => {
                Step::Done(Ok(self.give(&entry, freshness, Tier::Memory)))
            }
            Some((entry, freshness @ (Freshness::RefreshAhead | Freshness::StaleWhileRevalidate))) => {
                match self.lead_refresh::<V>() {
                    Some(leader) => self.lead(leader, Some((entry, freshness))),
                    None => Step::Done(Ok(self.give(&entry, freshness, Tier::Memory))),
                }
            }
            other => {
                progress.asks_further = matches!(other, Some((_, Freshness::AskFurther)));
                progress.stale = other.map(|(entry, _)| entry);
                self.count(|counters| &counters.misses);
                self.core().tell_miss(self.told_key(), self.wanted.of.group);
                Step::Enter
            }
        }
    }

    /// Leads a refresh, unless one is under way.
    fn lead_refresh<V: LocalValue>(&self) -> Option<Leader> {
        let core = self.core();
        let work = self.work::<V>();
        let leader = core.singleflight().lead_if_idle(self.caller(&work), core.epochs());
        leader.inspect(|_| self.count(|counters| &counters.refreshes))
    }

    /// Joins the computation that is under way, or leads one.
    pub(super) fn enter<V: LocalValue, E>(&self, progress: &mut Progress) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        let core = self.core();
        let work = self.work::<V>();
        let (role, arrival) = core.singleflight().enter(self.caller(&work), core.epochs(), progress.arrival);
        progress.arrival = Some(arrival);
        if progress.began.is_none() && self.is_shared() && self.cache.storage().shared().is_some() {
            progress.began = Some(Instant::now());
        }
        match role {
            Role::Leader(leader) => self.lead(leader, None),
            Role::Waiter(waiter) => Step::Wait(waiter),
        }
    }

    /// The same entry, to end when it is not asked for from now on.
    pub(super) fn prolonged<V: LocalValue>(&self, entry: &Entry) -> Option<Entry> {
        let value: &AnyValue = entry.value::<V>()?;
        let lifetime = self.policy.lifetime(self.wanted.of.is_none(value));
        let now = self.core().now();
        let life = entry.0.life().prolonged(now, lifetime, self.policy).in_memory(now, self.memory_limit());
        // What cannot be cloned is served once more, and ends in its time.
        panic_guard::contain(|| entry.renewed::<V>(life)).flatten()
    }

    /// Waits for another caller's computation, unless that one waits for this caller; while there is
    /// patience if there is a stale value to serve.
    pub(super) async fn wait<V, E>(
        &self,
        waiter: Waiter,
        patience: Patience,
        progress: &Progress,
    ) -> Step<V, E>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let Some(_wait) = waiter.awaited_by(dependencies::current_in_flight()) else {
            return Step::Compute(None, None);
        };
        let stale = progress.stale.as_ref();
        let computation = self.span.is_open().then(|| waiter.computation());
        self.span.record("waited", true);
        match self.unless_slow(waiter.outcome(self.core().epochs()), patience, stale).await {
            Err(value) => {
                self.note_failure(stale);
                Step::Done(Ok(value))
            }
            Ok(Awaited::Accepted(outcome)) => {
                computation.iter().for_each(|computation| self.span.follows(&computation.span()));
                self.accept(outcome, stale)
            }
            Ok(Awaited::Leader(leader)) => self.lead(leader, None),
            Ok(Awaited::Outdated) => Step::Enter,
        }
    }

    /// Takes the outcome of another caller's computation.
    fn accept<V, E>(&self, outcome: Outcome, stale: Option<&Entry>) -> Step<V, E>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let core = self.core();
        match outcome {
            Outcome::Value(entry) => {
                // An error that this caller has no use for is as good as none.
                let Some(answer) = self.answer(&entry) else { return Step::Compute(None, None) };
                self.count(|counters| &counters.joined);
                self.span.record("outcome", "joined");
                self.tell_joined(&entry);
                Step::Done(answer)
            }
            Outcome::Failure(failure) => {
                if let Some(value) = stale.and_then(|entry| self.serve_if_usable(entry)) {
                    return Step::Done(Ok(value));
                }
                let Some(error) = failure.error.and_then(|given| self.sharing.take(&given)) else {
                    return Step::Turn;
                };
                self.count(|counters| &counters.joined);
                self.span.record("outcome", "failed");
                self.observer.computed(Some(NotStored::Failed));
                self.observer.tell(|| outcome::Outcome { source: Source::Joined, ..self.observer.outcome() });
                dependencies::record_dependencies(core.epochs(), &failure.cover);
                Step::Done(Err(error))
            }
            Outcome::Unshared => Step::Compute(None, None),
        }
    }

    /// Waits for a turn, unless others may wait for this caller to have had its own; what one of those before it may have
    /// stored is taken.
    pub(super) async fn turn<V: LocalValue, E>(&self, progress: &mut Progress) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        if !dependencies::has_turn() {
            let work = self.work::<V>();
            let turn = self.core().turns().take((work.key, work.value_type)).await;
            if let Some((answer, entry)) = self.find_answer() {
                self.count(|counters| &counters.joined);
                self.span.record("outcome", "joined");
                self.tell_joined(&entry);
                return Step::Done(answer);
            }
            progress.turn = Some(turn);
        }
        Step::Compute(None, None)
    }

    /// Goes on as a leader: what the computation before this one may have stored is found after the lookup.
    pub(super) fn lead<V: LocalValue, E>(&self, leader: Leader, refreshed: Refreshed) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        match self.find_answer() {
            Some((answer, entry)) => self.complete(leader, entry, answer, Tier::Memory),
            // With the lease of a leader that was superseded, no other process is at it.
            None if self.is_shared() && self.cache.storage().reads_further() && !leader.has_lease() => {
                Step::Read(leader, refreshed)
            }
            None => Step::Compute(Some(leader), refreshed),
        }
    }

    /// Goes on with what other processes have stored.
    pub(super) fn after_read<V: LocalValue, E>(
        &self,
        leader: Leader,
        refreshed: Refreshed,
        found: Option<(Entry, Freshness)>,
        progress: &mut Progress,
    ) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        if let (Some(_), Some((entry, _))) = (self.policy.adaptive_to, &found) {
            let life = entry.0.life();
            self.core().adaptive().found(self.hash, life.refresh_due, life.ttl_end);
        }
        match found {
            Some((entry, Freshness::Fresh | Freshness::AskFurther)) => {
                if let Some(answer) = self.answer(&entry) {
                    self.count(|counters| &counters.misses_shared);
                    let tier = entry.origin();
                    return self.complete(leader, entry, answer, tier);
                }
            }
            // It is no old value.
            Some((entry, _)) if entry.0.is_error() => {}
            // What this leader refreshes is as good.
            _ if refreshed.is_some() => {}
            Some((entry, freshness @ Freshness::RefreshAhead)) if self.policy.idle.is_some() => {
                leader.complete(Outcome::Value(entry.clone()), false);
                let tier = entry.origin();
                return Step::Prolong(entry, freshness, tier);
            }
            // With an old value of its own, this leader was the one to ask when it found that.
            Some((entry, freshness)) if progress.stale.is_none() && self.is_paused() => {
                leader.complete(Outcome::Value(entry.clone()), false);
                return Step::Done(Ok(self.give(&entry, freshness, entry.origin())));
            }
            Some((entry, freshness @ (Freshness::RefreshAhead | Freshness::StaleWhileRevalidate))) => {
                // Those who wait get what there is, and one of all who have it refreshes it.
                leader.complete(Outcome::Value(entry.clone()), false);
                return match self.lead_refresh::<V>() {
                    Some(leader) => Step::Lease(leader, Some((entry, freshness))),
                    None => Step::Done(Ok(self.give(&entry, freshness, entry.origin()))),
                };
            }
            Some((entry, _)) => progress.stale = Some(entry),
            None if progress.asks_further && !self.is_within_reach() => {
                if let Some(entry) = progress.stale.take()
                    && let Ok(freshness) = self.core().judge(&entry)
                {
                    leader.complete(Outcome::Value(entry.clone()), false);
                    return Step::Done(Ok(self.give(&entry, freshness, Tier::Memory)));
                }
            }
            None => {}
        }
        Step::Lease(leader, refreshed)
    }
}
