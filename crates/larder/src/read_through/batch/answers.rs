//! What a batch can answer so far, and what it answers when its time is over.

use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc};

use tokio::runtime::Handle;

use super::items::Missing;
use crate::{
    alarm,
    cache::Cache,
    dependencies,
    entry::Entry,
    error::TimedOut,
    error_sharing::Sharing,
    outcome::{NotStored, Observer, Source, Tier},
    policy::Policy,
    read_through::{lookup::serve, request::note_failure},
    scope,
    sync::plain::{Mutex, lock},
    value::LocalValue,
};

/// The values so far, and the old ones that may be served in place of those that do not come in time.
pub(super) struct Answers<I, V>(Mutex<Known<I, V>>);

struct Known<I, V> {
    values: HashMap<I, V>,
    stale: HashMap<I, Entry>,
}

impl<I: Clone + Eq + Hash, V> Answers<I, V> {
    pub(super) fn new(values: HashMap<I, V>) -> Self {
        Self(Mutex::new(Known { values, stale: HashMap::new() }))
    }

    pub(super) fn insert(&self, item: I, value: V) {
        lock(&self.0).values.insert(item, value);
    }

    pub(super) fn note_stale(&self, item: &I, stale: &Entry) {
        // The first one is as good as any: each is judged when it is served.
        lock(&self.0).stale.entry(item.clone()).or_insert_with(|| stale.clone());
    }

    /// The values, all of which there are.
    pub(super) fn take(&self) -> HashMap<I, V> {
        std::mem::take(&mut lock(&self.0).values)
    }
}

/// What a batch needs when its time is over: the items that it had no values for, with their keys. Nothing where there is no
/// deadline.
pub(super) struct Late<I>(Vec<(I, Arc<str>, u64, Observer)>);

impl<I: Clone + Eq + Hash> Late<I> {
    pub(super) fn of(policy: &Policy, missing: &[Missing<I>]) -> Self {
        let items = |missing: &Missing<I>| {
            (missing.item.clone(), missing.key.clone(), missing.hash, missing.observer.clone())
        };
        Self(policy.deadline.map(|_| missing.iter().map(items).collect()).unwrap_or_default())
    }

    /// The answer to a batch, or by its deadline, what there is by then, with old values in the place of those that are
    /// missing. An error if there is none for one of them. The batch is dropped by then, unless it is a task of its own.
    pub(super) async fn by_deadline<V, E, C, S>(
        self,
        (cache, policy): (&C, &Policy),
        sharing: S,
        answers: &Answers<I, V>,
        batch: impl Future<Output = Result<HashMap<I, V>, E>>,
    ) -> Result<HashMap<I, V>, E>
    where
        V: LocalValue,
        C: Cache + ?Sized,
        S: Sharing<E>,
    {
        let deadline = policy.deadline.filter(|_| Handle::try_current().is_ok());
        let Some((deadline, error)) = deadline.zip(sharing.timed_out()) else { return batch.await };
        // In a box: most batches have no deadline. By the alarm: not every runtime has timers.
        if let Some(answer) = Box::pin(alarm::within(deadline, batch)).await {
            return answer;
        }
        self.answer((cache, policy), answers).ok_or_else(|| error(TimedOut::after(deadline)))
    }

    fn answer<V: LocalValue, C: Cache + ?Sized>(
        self,
        (cache, policy): (&C, &Policy),
        answers: &Answers<I, V>,
    ) -> Option<HashMap<I, V>> {
        let core = cache.core();
        let (mut values, mut stale) = {
            let mut known = lock(&answers.0);
            (std::mem::take(&mut known.values), std::mem::take(&mut known.stale))
        };
        let mut is_complete = true;
        for (item, key, hash, observer) in self.0 {
            if values.contains_key(&item) {
                continue;
            }
            let stale = stale.remove(&item);
            note_failure((core, policy), hash, stale.as_ref());
            let usable = stale.and_then(|entry| Some((core.judge(&entry).ok()?, entry)));
            let Some((freshness, entry)) = usable else {
                observer.computed(Some(NotStored::Failed));
                // What is computed from the error depends on what the value would have been.
                dependencies::record_scopes(core.epochs(), || scope::covering(&key, &policy.tags));
                is_complete = false;
                continue;
            };
            observer.tell(|| entry.0.outcome(Source::Stale, Some(Tier::Memory), core.now()));
            values.insert(item, serve(core, &entry, freshness, Tier::Memory));
        }
        is_complete.then_some(values)
    }
}
