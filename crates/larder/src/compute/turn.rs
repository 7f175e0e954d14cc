//! Whose turn it is: a caller is served, waits for a computation under way, or computes.

use std::{pin::pin, time::Duration};

use tokio::runtime::Handle;

use super::{Call, Turn, receive, serve};
use crate::{
    cache::Cache,
    dependencies,
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    scope::ScopeSet,
    singleflight::{Awaited, Caller, Leader, Outcome, Role, Wait, Waiter, WorkKey},
    value::Value,
};

impl<C: Cache + ?Sized, S: Copy> Call<'_, C, S> {
    /// Makes do with what was `found`, or waits, or comes to lead. `stale` becomes what may be served if there
    /// will be nothing better.
    pub(super) async fn turn<V, E>(
        &self,
        found: Option<(Entry, Freshness)>,
        stale: &mut Option<Entry>,
    ) -> Turn<V, E>
    where
        V: Value,
        S: Sharing<E>,
    {
        let mut turn = self.join_or_refresh(found, stale).await;
        loop {
            turn = match self.fetch(turn, stale).await {
                // Somebody else computes by now, or did.
                Turn::Leader(lead) if lead.is_superseded() => {
                    drop(lead);
                    self.join_or_lead(stale).await
                }
                Turn::Refresh(lead, entry, freshness) if lead.is_superseded() && self.is_servable(&entry) => {
                    return Turn::Done(Ok(serve(self.core(), &entry, freshness)));
                }
                turn => return turn,
            };
        }
    }

    /// Leads a refresh, unless one is under way.
    pub(super) fn lead_refresh<V: Value>(&self) -> Option<Leader> {
        let core = self.core();
        let (work, scopes) = (self.work::<V>(), self.own_scopes());
        let lead = core.singleflight().lead_if_idle(self.caller(&work, &scopes), core.epochs());
        lead.inspect(|_| core.count(|counters| &counters.refreshes))
    }

    pub(super) fn caller<'c>(&'c self, work: &'c WorkKey, scopes: &'c ScopeSet) -> Caller<'c> {
        Caller { work, hash: self.at.hash, scopes, watch: &self.watch }
    }

    /// The same, without a look at what others have stored.
    async fn join_or_refresh<V, E>(
        &self,
        found: Option<(Entry, Freshness)>,
        stale: &mut Option<Entry>,
    ) -> Turn<V, E>
    where
        V: Value,
        S: Sharing<E>,
    {
        let core = self.core();
        match found {
            Some((entry, freshness @ (Freshness::RefreshAhead | Freshness::StaleWhileRevalidate))) => {
                return match self.lead_refresh::<V>() {
                    Some(lead) => Turn::Refresh(lead, entry, freshness),
                    None => Turn::Done(Ok(serve(core, &entry, freshness))),
                };
            }
            other => *stale = other.map(|(entry, _)| entry),
        }
        core.count(|counters| &counters.misses);
        self.join_or_lead(stale).await
    }

    /// Waits for a computation that is under way, or leads one.
    async fn join_or_lead<V, E>(&self, stale: &mut Option<Entry>) -> Turn<V, E>
    where
        V: Value,
        S: Sharing<E>,
    {
        let core = self.core();
        let (work, scopes) = (self.work::<V>(), self.own_scopes());
        let mut came = None;
        loop {
            let (role, arrival) = core.singleflight().enter(self.caller(&work, &scopes), core.epochs(), came);
            came = Some(arrival);
            let join = match role {
                Role::Leader(lead) => return Turn::Leader(lead),
                Role::Waiter(join) => join,
            };
            let Some(_wait) = Wait::begin(dependencies::current_in_flight(), join.id()) else {
                return Turn::Alone;
            };
            match self.wait(join, stale, self.policy.timeout).await {
                Some(Awaited::Accepted(outcome)) => return self.accept(outcome, stale.as_ref()),
                Some(Awaited::Leader(lead)) => return Turn::Leader(lead),
                Some(Awaited::Outdated) => {}
                None => {
                    let entry = stale.take().expect("only a stale entry ends a wait");
                    return Turn::Done(Ok(serve(core, &entry, Freshness::StaleIfError)));
                }
            }
        }
    }

    /// Waits for a computation; none if `limit` is over and the stale entry can be served.
    pub(super) async fn wait(
        &self,
        join: Waiter,
        stale: &Option<Entry>,
        limit: Option<Duration>,
    ) -> Option<Awaited> {
        let core = self.core();
        let mut outcome = pin!(join.outcome(core.epochs()));
        // Outside of a runtime there is no timer.
        let limit = limit.filter(|_| Handle::try_current().is_ok());
        if let (Some(limit), Some(entry)) = (limit, stale) {
            match tokio::time::timeout(limit, &mut outcome).await {
                Ok(awaited) => return Some(awaited),
                Err(_) if self.is_servable(entry) => return None,
                Err(_) => {}
            }
        }
        Some(outcome.await)
    }

    /// Takes the outcome of somebody else's computation.
    fn accept<V, E>(&self, outcome: Outcome, stale: Option<&Entry>) -> Turn<V, E>
    where
        V: Value,
        S: Sharing<E>,
    {
        let core = self.core();
        match outcome {
            Outcome::Value(entry) => {
                core.count(|counters| &counters.joined);
                Turn::Done(Ok(receive(core, &entry)))
            }
            Outcome::Failure(failure) => {
                if let Some(entry) = stale.filter(|entry| self.is_servable(entry)) {
                    return Turn::Done(Ok(serve(core, entry, Freshness::StaleIfError)));
                }
                match failure.error.and_then(|given| self.sharing.take(&given)) {
                    Some(error) => {
                        core.count(|counters| &counters.joined);
                        dependencies::record_dependencies(core.epochs(), &failure.cover);
                        Turn::Done(Err(error))
                    }
                    None => Turn::Alone,
                }
            }
            Outcome::Unshared => Turn::Alone,
        }
    }
}
