//! What other processes have computed, or are computing.

use std::pin::pin;

use tokio::runtime::Handle;

use super::{Call, Turn, receive, serve};
use crate::{
    cache::{Cache, Leased},
    cache_core::{Core, Lookup},
    entry::{Entry, Freshness},
    policy::Lock,
    singleflight::{Leader, Outcome},
    value::{Value, ValueType},
};

/// The entries under these keys, of those that only waiting can get: each valid, and not at its end.
pub(crate) async fn read<V: Value>(
    cache: &(impl Cache + ?Sized),
    keys: &[Lookup<'_>],
    schema: Option<u32>,
) -> Vec<Option<(Entry, Freshness)>> {
    if !cache.is_shared() || keys.is_empty() {
        return vec![None; keys.len()];
    }
    let core = cache.core();
    let entries = cache.read(keys, ValueType::of::<V>(schema)).await;
    entries.into_iter().map(|entry| usable::<V>(core, entry?)).collect()
}

/// The same for one key.
pub(crate) async fn read_one<V: Value>(
    cache: &(impl Cache + ?Sized),
    at: Lookup<'_>,
    schema: Option<u32>,
) -> Option<(Entry, Freshness)> {
    if !cache.is_shared() {
        return None;
    }
    usable::<V>(cache.core(), cache.read_one(at, ValueType::of::<V>(schema)).await?)
}

/// The entry and its phase, if it can be used for a `V` at all.
fn usable<V: Value>(core: &Core, entry: Entry) -> Option<(Entry, Freshness)> {
    let freshness = entry.0.freshness(core.now());
    let usable =
        freshness < Freshness::Expired && entry.value::<V>().is_some() && entry.0.is_valid(core.epochs());
    usable.then_some((entry, freshness))
}

impl<C: Cache + ?Sized, S: Copy> Call<'_, C, S> {
    /// Goes on as a leader: looks at what was stored in the meantime, here or by another process; and where
    /// one process is to compute for all, asks to be the one.
    pub(super) async fn fetch<V: Value, E>(&self, turn: Turn<V, E>, stale: &mut Option<Entry>) -> Turn<V, E> {
        match turn {
            Turn::Leader(lead) => match self.find_new::<V>() {
                Some(entry) => self.complete(lead, &entry),
                // With the lease of a leader that was superseded, no other process is at it.
                None if self.cache.is_shared() && !lead.has_lease() => self.fetch_missing(lead, stale).await,
                None => Turn::Leader(lead),
            },
            Turn::Refresh(lead, entry, freshness) if self.cache.is_shared() && !lead.has_lease() => {
                self.fetch_newer(lead, entry, freshness).await
            }
            turn => turn,
        }
    }

    async fn fetch_missing<V: Value, E>(&self, lead: Leader, stale: &mut Option<Entry>) -> Turn<V, E> {
        match self.read_one::<V>().await {
            Some((entry, Freshness::Fresh)) => return self.complete(lead, &entry),
            Some((entry, freshness @ (Freshness::RefreshAhead | Freshness::StaleWhileRevalidate))) => {
                // Those who wait get what there is, and one of all who have it refreshes it.
                lead.complete(Outcome::Value(entry.clone()), false);
                return match self.lead_refresh::<V>() {
                    Some(lead) => self.lease_refresh(lead, entry, freshness).await,
                    None => Turn::Done(Ok(serve(self.core(), &entry, freshness))),
                };
            }
            Some((entry, _)) => *stale = Some(entry),
            None => {}
        }
        self.lease_missing(lead, stale).await
    }

    /// Asks to be the one that computes, and waits for another one who does; for as long as the policy says,
    /// if there is a stale value to serve.
    async fn lease_missing<V: Value, E>(&self, lead: Leader, stale: &mut Option<Entry>) -> Turn<V, E> {
        if !self.is_leased() {
            return Turn::Leader(lead);
        }
        let cover = self.own_scopes();
        let mut leased = pin!(self.cache.lease(self.at, self.value_type::<V>(), &cover, true));
        let limit = self.policy.timeout.filter(|_| Handle::try_current().is_ok());
        let leased = match (limit, &stale) {
            (Some(limit), Some(entry)) => match tokio::time::timeout(limit, &mut leased).await {
                Ok(leased) => leased,
                Err(_) if self.is_servable(entry) => {
                    return Turn::Done(Ok(serve(self.core(), entry, Freshness::StaleIfError)));
                }
                Err(_) => leased.await,
            },
            _ => leased.await,
        };
        match leased {
            Leased::Found(entry) => match usable::<V>(self.core(), entry) {
                Some((entry, freshness)) if freshness < Freshness::StaleIfError => {
                    self.complete(lead, &entry)
                }
                _ => Turn::Leader(lead),
            },
            Leased::Held(lease) => {
                lead.hold(lease);
                Turn::Leader(lead)
            }
            Leased::Elsewhere | Leased::Free => Turn::Leader(lead),
        }
    }

    /// Goes on with a value that is due for a refresh: somebody else may have refreshed it.
    async fn fetch_newer<V: Value, E>(&self, lead: Leader, entry: Entry, freshness: Freshness) -> Turn<V, E> {
        match self.read_one::<V>().await {
            Some((newer, Freshness::Fresh)) => self.complete(lead, &newer),
            _ => self.lease_refresh(lead, entry, freshness).await,
        }
    }

    /// Refreshes, unless another process does.
    async fn lease_refresh<V: Value, E>(
        &self,
        lead: Leader,
        entry: Entry,
        freshness: Freshness,
    ) -> Turn<V, E> {
        if !self.is_leased() {
            return Turn::Refresh(lead, entry, freshness);
        }
        let cover = entry.0.scopes();
        match self.cache.lease(self.at, self.value_type::<V>(), cover, false).await {
            Leased::Held(lease) => {
                lead.hold(lease);
                Turn::Refresh(lead, entry, freshness)
            }
            Leased::Free => Turn::Refresh(lead, entry, freshness),
            Leased::Found(newer) => match usable::<V>(self.core(), newer) {
                Some((newer, Freshness::Fresh)) => self.complete(lead, &newer),
                _ => Turn::Refresh(lead, entry, freshness),
            },
            Leased::Elsewhere if self.is_servable(&entry) => {
                lead.complete(Outcome::Value(entry.clone()), false);
                Turn::Done(Ok(serve(self.core(), &entry, freshness)))
            }
            Leased::Elsewhere => Turn::Refresh(lead, entry, freshness),
        }
    }

    async fn read_one<V: Value>(&self) -> Option<(Entry, Freshness)> {
        read_one::<V>(self.cache, self.at, self.policy.schema).await
    }

    /// Ends a computation with an entry that was found.
    fn complete<V: Value, E>(&self, lead: Leader, entry: &Entry) -> Turn<V, E> {
        lead.complete(Outcome::Value(entry.clone()), false);
        Turn::Done(Ok(receive(self.core(), entry)))
    }

    fn value_type<V: Value>(&self) -> ValueType {
        ValueType::of::<V>(self.policy.schema)
    }

    /// Whether one process computes for all that share the cache's server.
    fn is_leased(&self) -> bool {
        self.cache.is_shared() && self.policy.lock.unwrap_or(Lock::Deployment) == Lock::Deployment
    }
}
