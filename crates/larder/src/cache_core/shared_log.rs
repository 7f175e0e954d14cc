//! What the core of a cache does where caches share an invalidation log.

use std::sync::Arc;

use super::{Core, CoreBuilder};
use crate::{
    epoch::{Announcement, Epochs},
    scope::{Scope, ScopeSet},
};

impl CoreBuilder {
    /// With the order of changes of other caches that share a log.
    pub(crate) fn epochs(mut self, epochs: Arc<Epochs>) -> Self {
        self.epochs = Some(epochs);
        self
    }
}

impl Core {
    /// Applies an invalidation of this process. Where there is a log, it is in the outbox from here on.
    pub(crate) fn invalidate(&self, scopes: &[Scope]) -> Option<Arc<Announcement>> {
        self.0.stats.count(|counters| &counters.invalidations);
        let hashes: ScopeSet = scopes.iter().map(Scope::hash).collect();
        self.0.epochs.apply(&hashes, scopes.iter().filter_map(Scope::as_key).map(Arc::from))
    }
}
