//! What is invalidated, and what is marked stale.

use std::sync::Arc;

use super::Core;
use crate::{
    cache_events::CacheEvent,
    epoch::Announcement,
    scope::{Scope, ScopeHash, ScopeSet},
};

impl Core {
    /// Applies an invalidation of this process: no entry that these scopes cover and whose computation has begun is
    /// served from here on, and counters under these keys are gone. O(scopes).
    pub fn invalidate(&self, scopes: &[Scope]) {
        self.announce(scopes);
    }

    /// The same. Where there is a log, the invalidation is in the outbox from here on.
    pub(crate) fn announce(&self, scopes: &[Scope]) -> Option<Arc<Announcement>> {
        self.0.stats.count(|counters| &counters.invalidations);
        self.tell(|_| CacheEvent::Invalidated { scopes: scopes.into(), soft: false });
        let hashes: ScopeSet = scopes.iter().map(Scope::hash).collect();
        let keys = || scopes.iter().filter_map(Scope::as_key);
        let announcement = self.0.epochs.apply(&hashes, keys().map(Arc::from));
        // Where processes share entries, they share counters.
        if announcement.is_none() {
            keys().for_each(|key| self.0.counters.remove(key));
        }
        announcement
    }

    /// Marks what these scopes cover as stale, for this process: none of it is fresh from here on. O(scopes).
    pub fn mark_stale(&self, scopes: &[Scope]) {
        self.announce_marks(scopes);
    }

    /// The same. Where there is a log, the marks are in the outbox from here on.
    pub(crate) fn announce_marks(&self, scopes: &[Scope]) -> Option<Arc<Announcement>> {
        self.0.stats.count(|counters| &counters.marks);
        self.tell(|_| CacheEvent::Invalidated { scopes: scopes.into(), soft: true });
        let hashes: ScopeSet = scopes.iter().map(Scope::hash).collect();
        self.0.epochs.mark(&hashes, self.now())
    }

    /// Applies an invalidation that was heard of from another process: no entry that these scopes cover and whose
    /// computation has begun is served from here on. O(scopes).
    pub fn apply(&self, scopes: impl IntoIterator<Item = ScopeHash>) {
        self.0.stats.count(|counters| &counters.invalidations);
        // Collected first: no foreign iterator runs while changes are held up.
        let scopes: ScopeSet = scopes.into_iter().collect();
        self.0.epochs.apply(&scopes, []);
    }
}
