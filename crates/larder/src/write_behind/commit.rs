//! Settling what was written or given up: the cache first, so that a crash in between repeats it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    id::WriteId,
    store::{InHand, Record, Settlement, Store},
};
use crate::{
    cache::{Cache, Invalidation},
    error::Result,
    scope::Scope,
    typed::CacheExt,
};

impl Settlement {
    pub(super) fn written<T>(&mut self, records: &[Record<T>]) {
        self.done.extend(records.iter().map(|record| record.id));
        self.note(records.iter().map(|record| (record.id, &record.cache_key)));
    }

    pub(super) fn given_up<'r>(
        &mut self,
        records: impl IntoIterator<Item = (WriteId, &'r Option<Arc<str>>)>,
        reason: &str,
    ) {
        let records: Vec<_> = records.into_iter().collect();
        self.dead.extend(records.iter().map(|(id, _)| (*id, reason.to_owned())));
        self.note(records);
    }

    fn note<'r>(&mut self, records: impl IntoIterator<Item = (WriteId, &'r Option<Arc<str>>)>) {
        for (id, cache_key) in records {
            if let Some(key) = cache_key {
                self.cache_keys.push((key.clone(), id));
            }
        }
    }

    /// Leaves each cache key once, with its last write.
    fn last_of_each(&mut self) {
        let mut last: HashMap<Arc<str>, WriteId> = HashMap::new();
        for (key, id) in self.cache_keys.drain(..) {
            let there = last.entry(key).or_insert(id);
            *there = id.max(*there);
        }
        self.cache_keys = last.into_iter().collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty() && self.dead.is_empty()
    }
}

/// Invalidates what was computed from the rows as they were, and removes the writes from the queue. False if this
/// process is no longer the consumer, or has to take over anew.
///
/// A cache key of which a later write waits is left alone: the cache shows that one, and its own commit will come. The
/// mark that [`Store::begin_commit`] leaves has a writer of the key wait, so that what it inserts is inserted after the
/// invalidation.
pub(super) async fn settle<T>(
    store: &dyn Store<T>,
    cache: Option<&dyn Cache>,
    settlement: &mut Settlement,
    in_hand: InHand,
) -> Result<bool> {
    settlement.last_of_each();
    if !settlement.cache_keys.is_empty() {
        let due = store.begin_commit(&settlement.cache_keys).await?;
        let keys = settlement.cache_keys.iter().zip(due).filter(|(_, due)| *due);
        let scopes: Vec<_> = keys.map(|((key, _), _)| Scope::key(&**key)).collect();
        if let Some(cache) = cache.filter(|_| !scopes.is_empty()) {
            invalidate(cache, scopes).await;
        }
    }
    store.settle(settlement, in_hand).await
}

/// Waits for the other processes to be told, for as long as that is worth it: what is queued is kept by the outbox.
async fn invalidate(cache: &dyn Cache, scopes: Vec<Scope>) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let told = cache.invalidate(scopes).await;
    if told == Invalidation::Queued {
        cache.flush(PATIENCE).await;
    }
}
