//! Writes in this process' memory: gone when it ends.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{
    dead_letters::DeadLetter,
    id::WriteId,
    store::{Appended, Draft, Fetched, InHand, Prepared, QueueDepth, Record, Settlement, Store},
};
use crate::{
    error::Result,
    sync::plain::{Mutex, MutexGuard, lock},
    value::Value,
};

pub(super) struct MemoryStore<T> {
    state: Mutex<State<T>>,
    arrivals: Notify,
    room: Notify,
}

struct State<T> {
    last: WriteId,
    waiting: BTreeMap<WriteId, Record<T>>,
    /// Through which write all were given to the consumer.
    given: WriteId,
    /// The last write of each cache key, among those that wait.
    last_of: HashMap<Arc<str>, WriteId>,
    committing: HashSet<Arc<str>>,
    dead: BTreeMap<WriteId, (Record<T>, String)>,
    closed: bool,
}

impl<T> Default for MemoryStore<T> {
    fn default() -> Self {
        let state = State {
            last: WriteId::default(),
            waiting: BTreeMap::new(),
            given: WriteId::default(),
            last_of: HashMap::new(),
            committing: HashSet::new(),
            dead: BTreeMap::new(),
            closed: false,
        };
        Self { state: Mutex::new(state), arrivals: Notify::new(), room: Notify::new() }
    }
}

impl<T> MemoryStore<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

impl<T> State<T> {
    fn next_id(&mut self) -> WriteId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.last = self.last.after(u64::try_from(now).unwrap_or(u64::MAX));
        self.last
    }

    fn append(&mut self, (key, value): (Arc<str>, Arc<T>), cache_key: Option<Arc<str>>) -> (WriteId, bool) {
        let id = self.next_id();
        let committing = cache_key.as_ref().is_some_and(|key| self.committing.contains(key));
        if let Some(key) = &cache_key {
            self.last_of.insert(key.clone(), id);
        }
        self.waiting.insert(id, Record { id, key, cache_key, value, alone: false });
        (id, committing)
    }
}

#[async_trait]
impl<T: Value> Store<T> for MemoryStore<T> {
    fn prepare(&self, value: &T, _: &str) -> Result<Prepared<T>> {
        Ok(Prepared::Value(Arc::new(value.clone())))
    }

    async fn append(&self, limit: u64, drafts: &[Draft<'_, T>]) -> Result<Appended> {
        let (mut ids, mut committing) = (Vec::with_capacity(drafts.len()), false);
        {
            let mut state = self.state();
            if state.closed {
                return Ok(Appended::Closed);
            }
            let depth = QueueDepth { waiting: state.waiting.len() as u64, dead: state.dead.len() as u64 };
            if depth.waiting + depth.dead + drafts.len() as u64 > limit {
                return Ok(Appended::Full(depth));
            }
            for Draft { key, value, cache_key } in drafts {
                let Prepared::Value(value) = value else {
                    unreachable!("this store prepares values as they are")
                };
                let (id, commits) = state.append(((*key).into(), value.clone()), cache_key.map(Arc::from));
                ids.push(id);
                committing |= commits;
            }
        }
        self.arrivals.notify_one();
        Ok(Appended::Kept { ids, committing })
    }

    fn close(&self) {
        self.state().closed = true;
    }

    async fn room(&self) {
        self.room.notified().await;
    }

    async fn is_committing(&self, cache_key: &str) -> Result<bool> {
        Ok(self.state().committing.contains(cache_key))
    }

    async fn is_last(&self, cache_key: &str, id: WriteId) -> Result<bool> {
        Ok(self.state().last_of.get(cache_key) == Some(&id))
    }

    async fn take_over(&self) -> Result<bool> {
        self.state().given = WriteId::default();
        Ok(true)
    }

    async fn renew(&self) -> Result<bool> {
        Ok(true)
    }

    async fn release(&self) {}

    async fn fetch(&self, count: usize, _: InHand) -> Result<Option<Fetched<T>>> {
        let mut state = self.state();
        let rest = (Bound::Excluded(state.given), Bound::Unbounded);
        let records: Vec<_> =
            state.waiting.range(rest).take(count).map(|(_, record)| record.clone()).collect();
        if let Some(last) = records.last() {
            state.given = last.id;
        }
        Ok(Some(Fetched { records, broken: Vec::new() }))
    }

    /// What ends the process ends the queue.
    async fn begin_alone(&self, _: WriteId) -> Result<u64> {
        Ok(1)
    }

    async fn end_alone(&self, _: WriteId) {}

    async fn arrival(&self) {
        self.arrivals.notified().await;
    }

    async fn begin_commit(&self, cache_keys: &[(Arc<str>, WriteId)]) -> Result<Vec<bool>> {
        let mut state = self.state();
        let due = cache_keys.iter().map(|(key, id)| {
            let due = state.last_of.get(key).is_none_or(|last| last == id);
            if due {
                state.committing.insert(key.clone());
            }
            due
        });
        Ok(due.collect())
    }

    async fn settle(&self, settlement: &Settlement, _: InHand) -> Result<bool> {
        // Dropped after the lock: values are the user's.
        let mut removed = Vec::new();
        {
            let mut state = self.state();
            removed.extend(settlement.done.iter().filter_map(|id| state.waiting.remove(id)));
            for (id, reason) in &settlement.dead {
                if let Some(record) = state.waiting.remove(id) {
                    let id = state.next_id();
                    state.dead.insert(id, (record, reason.clone()));
                }
            }
            for (key, id) in &settlement.cache_keys {
                state.committing.remove(key);
                if state.last_of.get(key) == Some(id) {
                    state.last_of.remove(key);
                }
            }
        }
        self.room.notify_waiters();
        Ok(true)
    }

    async fn oldest(&self) -> Result<Option<WriteId>> {
        Ok(self.state().waiting.keys().next().copied())
    }

    async fn newest(&self) -> Result<Option<WriteId>> {
        Ok(self.state().waiting.keys().next_back().copied())
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let state = self.state();
        Ok(QueueDepth { waiting: state.waiting.len() as u64, dead: state.dead.len() as u64 })
    }

    async fn dead(&self, count: usize) -> Result<Vec<DeadLetter<T>>> {
        let letters: Vec<_> = {
            let state = self.state();
            let letter = |(id, (record, reason)): (&WriteId, &(Record<T>, String))| {
                (*id, record.clone(), reason.clone())
            };
            state.dead.iter().take(count).map(letter).collect()
        };
        let letters = letters.into_iter().map(|(id, record, reason)| DeadLetter {
            id,
            write: record.id,
            key: record.key.to_string(),
            value: Some(T::clone(&record.value)),
            reason,
        });
        Ok(letters.collect())
    }

    async fn replay(&self, ids: &[WriteId]) -> Result<Option<u64>> {
        let mut count = 0;
        {
            let mut state = self.state();
            // The consumer has ended, or is about to: what was appended now would wait for ever.
            if state.closed {
                return Ok(None);
            }
            for id in ids {
                if let Some((Record { key, value, cache_key, .. }, _)) = state.dead.remove(id) {
                    state.append((key, value), cache_key);
                    count += 1;
                }
            }
        }
        self.arrivals.notify_one();
        Ok(Some(count))
    }

    async fn discard(&self, ids: &[WriteId]) -> Result<u64> {
        let removed: Vec<_> = {
            let mut state = self.state();
            ids.iter().filter_map(|id| state.dead.remove(id)).collect()
        };
        self.room.notify_waiters();
        Ok(removed.len() as u64)
    }
}
