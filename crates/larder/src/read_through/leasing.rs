//! Asking to be the one of all processes that computes.

use std::time::Duration;

use super::{
    patience::Patience,
    request::{Refreshed, Request, Step},
    steps::Progress,
};
use crate::{
    cache::{Cache, Leased, SharedStorage},
    entry::Freshness,
    error_sharing::Sharing,
    outcome::Tier,
    policy::Lock,
    singleflight::{Leader, Outcome},
    value::LocalValue,
};

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Whether the servers could be asked. If they cannot, what was not found there may be there.
    pub(super) fn is_within_reach(&self) -> bool {
        self.cache.storage().shared().is_none_or(SharedStorage::is_within_reach)
    }

    /// Asks to be the one of all processes that computes. Where another one does, a refresh is left to it; a missing
    /// value is waited for if the caller `may_wait`, while there is patience if there is a stale one to serve. If it may
    /// not, the lease is still to be asked for.
    pub(super) async fn lease<V: LocalValue, E>(
        &self,
        leader: Leader,
        refreshed: Refreshed,
        progress: &mut Progress,
        (may_wait, patience): (bool, Patience),
    ) -> Step<V, E>
    where
        S: Sharing<E>,
    {
        if self.is_shared()
            && self.policy.lock.unwrap_or(Lock::Deployment) == Lock::Deployment
            && let Some(shared) = self.cache.storage().shared()
        {
            let is_missing = refreshed.is_none();
            let waits = may_wait && is_missing;
            let sought = if is_missing { Freshness::StaleIfError } else { Freshness::RefreshAhead };
            let scopes = refreshed.as_ref().map_or(&self.scopes, |(entry, _)| entry.0.scopes());
            // From the arrival on, so that one who leads after another waits for no longer than that one would have.
            let waited = || progress.began.map_or(Duration::ZERO, |began| began.elapsed());
            let longest = waits.then(|| shared.lease_lifetime().saturating_sub(waited()));
            let lease = shared.lease(self.at(), self.wanted.of, scopes, longest);
            let stale = progress.stale.as_ref().filter(|_| waits);
            match self.unless_slow(lease, patience, stale).await {
                Err(value) => return Step::Done(Ok(value)),
                Ok(Leased::Held(lease)) => leader.hold(lease),
                Ok(Leased::Found(entry)) => {
                    let is_new = self.core().judge(&entry).is_ok_and(|freshness| freshness < sought);
                    if is_new && let Some(answer) = self.answer(&entry) {
                        if is_missing {
                            self.count(|counters| &counters.misses_shared);
                        }
                        self.span.record("waited", true);
                        let tier = entry.origin();
                        return self.complete(leader, entry, answer, tier);
                    }
                }
                Ok(Leased::Elsewhere) if is_missing && !may_wait => return Step::Lease(leader, None),
                Ok(Leased::Elsewhere) => {
                    if let Some((entry, _)) = &refreshed
                        && let Ok(freshness) = self.core().judge(entry)
                    {
                        leader.complete(Outcome::Value(entry.clone()), false);
                        return Step::Done(Ok(self.give(entry, freshness, Tier::Memory)));
                    }
                }
                Ok(Leased::Free) => {}
            }
        }
        if leader.is_superseded() {
            // Another caller took over the lead while this one waited for other processes.
            let Some((entry, _)) = &refreshed else {
                progress.arrival = None;
                return Step::Enter;
            };
            if let Some(value) = self.serve_if_usable(entry) {
                return Step::Done(Ok(value));
            }
        }
        Step::Compute(Some(leader), refreshed)
    }
}
