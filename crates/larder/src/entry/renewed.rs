//! Copies of entries whose time is another one.

use std::sync::{Arc, atomic::AtomicBool};

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
            announcement: stored.announcement.clone(),
            life,
            scopes: stored.scopes.clone(),
            foreign_dependencies: stored.foreign_dependencies.clone(),
            schema: stored.schema,
            unshared: AtomicBool::new(stored.is_unshared()),
            is_marked: stored.is_marked,
            is_local: stored.is_local,
            is_from_disk: stored.is_from_disk,
            is_error: stored.is_error,
            value: Box::new(value),
            transport: stored.transport,
            group: stored.group,
            cost: stored.cost,
        })))
    }
}
