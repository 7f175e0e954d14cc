//! Copies of entries whose time is another one.

use std::sync::Arc;

use super::{Entry, Lifetime, Stored};
use crate::value::LocalValue;

impl Entry {
    /// The same value, as valid as it is, with another lifetime. None if it is no `V`.
    pub(crate) fn renewed<V: LocalValue>(&self, life: Lifetime) -> Option<Self> {
        let stored = &self.0;
        let value = stored.value::<V>()?.clone();
        Some(Self(Arc::new(Stored {
            hash: stored.hash,
            key: stored.key.clone(),
            valid_at: stored.valid_at.of_copy(),
            since: stored.since,
            life,
            scopes: stored.scopes.clone(),
            facts: stored.facts.of_copy(),
            rare: stored.rare.clone(),
            value: Box::new(value),
            transport: stored.transport,
            group: stored.group,
            cost: stored.cost,
        })))
    }
}
