//! Writes in Redis: safe as what Redis acknowledges is.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use super::{
    dead_letters::DeadLetter,
    id::WriteId,
    store::{Appended, Broken, Draft, Fetched, InHand, Prepared, QueueDepth, Record, Settlement, Store},
};
use crate::{
    error::{Kind, Result},
    redis::{
        RedisCache,
        queue::{
            self, QueueExtent, RawAppended, RawDead, RawDraft, RawFetched, RawInHand, RawSettled, RedisQueue,
        },
        stream::{Listener, RawRecord},
    },
    sync::plain::{Mutex, lock},
    value::Value,
    wire::{Rejected, Wire},
};

/// So many consumers may end, or lose their lease, with a write that they have not settled, until it is written by itself.
const CONSUMERS: u32 = 3;

/// Before everything in a stream.
const BEGINNING: &str = "0-0";

/// Behind everything in a stream.
const END: &str = "18446744073709551615-18446744073709551615";

pub(super) struct RedisStore<T> {
    queue: RedisQueue,
    lease: Duration,
    /// From where on what was given is still to be claimed: to the consumer before, or in a reply that was lost.
    cursor: Mutex<Option<String>>,
    /// The last write that arrived in this term: what was given behind it went with a reply.
    given: Mutex<WriteId>,
    /// What the listener waits after; made with the first one.
    listening: Mutex<Option<watch::Sender<String>>>,
    /// Nothing after this was there when it was looked last.
    newest: Mutex<String>,
    arrivals: Arc<Notify>,
    _values: PhantomData<fn() -> T>,
}

impl<T> RedisStore<T> {
    pub(super) fn new(cache: &RedisCache, name: &str, lease: Duration) -> Self {
        Self {
            queue: RedisQueue::new(cache, name),
            lease,
            cursor: Mutex::default(),
            given: Mutex::default(),
            listening: Mutex::default(),
            newest: Mutex::new(BEGINNING.to_owned()),
            arrivals: Arc::default(),
            _values: PhantomData,
        }
    }

    fn in_hand(&self, InHand { oldest, count }: InHand) -> RawInHand {
        let (next, cursor) = (lock(&self.given).after(0).to_string(), lock(&self.cursor).clone());
        RawInHand {
            count: cursor.is_none().then_some(count),
            oldest: oldest.map(|id| id.to_string()).or(cursor).unwrap_or_else(|| next.clone()),
            next,
        }
    }

    /// What was given and has not arrived, then what was given to none. None if the lease was lost, or the server lacks what
    /// it was told before: then all is to be claimed anew.
    async fn give(&self, count: usize, in_hand: InHand) -> Result<Option<RawFetched>> {
        // What was lost is looked for once: Redis 6.2 goes on to count as given what was deleted, which cannot be claimed.
        let mut lost = false;
        loop {
            let cursor = lock(&self.cursor).clone();
            let next = if lost { END.to_owned() } else { lock(&self.given).after(0).to_string() };
            let fetched = match &cursor {
                Some(cursor) => self.queue.claim(cursor, count, CONSUMERS).await?,
                None => self.queue.fetch(&next, count, &self.in_hand(in_hand)).await?,
            };
            let Some(fetched) = fetched else { return Ok(None) };
            let first = fetched.records.first().and_then(|record| record.id.parse::<WriteId>().ok());
            if cursor.is_none() && first.is_some_and(|first| first <= *lock(&self.given)) {
                return Ok(None);
            }
            lost |= cursor.is_none() && fetched.cursor.is_some();
            lock(&self.cursor).clone_from(&fetched.cursor);
            let last = fetched.records.last().map(|record| record.id.clone());
            if let Some(id) = last.as_deref().and_then(|id| id.parse().ok()) {
                *lock(&self.given) = id;
            }
            if cursor.is_none() && fetched.cursor.is_none() {
                let newest = last.or_else(|| fetched.newest.clone());
                *lock(&self.newest) = newest.unwrap_or_else(|| BEGINNING.to_owned());
                return Ok(Some(fetched));
            }
            if last.is_some() {
                // There may be more at once.
                self.arrivals.notify_one();
                return Ok(Some(fetched));
            }
        }
    }

    /// Has the listener wait for what comes after the last that was read.
    fn listen(&self) {
        let after = lock(&self.newest).clone();
        let mut listening = lock(&self.listening);
        match &*listening {
            Some(sender) => _ = sender.send_replace(after),
            None => {
                let (sender, receiver) = watch::channel(after);
                tokio::spawn(forward(self.queue.listener(), receiver, self.arrivals.clone()));
                *listening = Some(sender);
            }
        }
    }
}

/// Notifies of what the listener hears, once for each time that it is asked to wait.
async fn forward(mut listener: Listener, mut after: watch::Receiver<String>, arrivals: Arc<Notify>) {
    const AT_ONCE: Duration = Duration::from_secs(1);
    loop {
        let from = after.borrow_and_update().clone();
        let heard = listener.hears(&from, AT_ONCE).await;
        match after.has_changed() {
            Err(_) => return,
            Ok(true) => continue,
            Ok(false) if !heard => continue,
            Ok(false) => arrivals.notify_one(),
        }
        if after.changed().await.is_err() {
            return;
        }
    }
}

/// How a value that cannot be read is spoken of.
fn unreadable(reason: Rejected) -> String {
    format!("its value is not one of this queue's type in this release ({})", reason.name())
}

fn record<T: Value>(raw: &RawRecord, alone: bool) -> Result<Record<T>, Broken> {
    let id = raw.id.parse().unwrap_or_default();
    let cache_key: Option<Arc<str>> = raw.text(queue::CACHE_KEY).map(Arc::from);
    let broken = |reason: String| Broken { id, cache_key: cache_key.clone(), reason };
    let key = raw.text(queue::KEY).ok_or_else(|| broken("it has no key".to_owned()))?;
    let value = raw.field(queue::VALUE).ok_or_else(|| broken("it has no value".to_owned()))?;
    let value = Wire::default().decode_queued(value).map_err(|reason| broken(unreadable(reason)))?;
    Ok(Record { id, key: key.into(), cache_key: cache_key.clone(), value: Arc::new(value), alone })
}

fn texts(ids: &[WriteId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn pairs(cache_keys: &[(Arc<str>, WriteId)]) -> Vec<(String, String)> {
    cache_keys.iter().map(|(key, id)| (key.to_string(), id.to_string())).collect()
}

#[async_trait]
impl<T: Value> Store<T> for RedisStore<T> {
    fn prepare(&self, value: &T, key: &str) -> Result<Prepared<T>> {
        let encoded = Wire::default().encode_queued(value);
        encoded.map(Prepared::Bytes).map_err(|reason| {
            let cause = reason.cause().cloned();
            Kind::Unencodable { key: key.to_owned(), reason: reason.to_string(), cause }.into()
        })
    }

    async fn append(&self, limit: u64, drafts: &[Draft<'_, T>]) -> Result<Appended> {
        let raw = drafts.iter().map(|Draft { key, value, cache_key }| {
            let Prepared::Bytes(value) = value else { unreachable!("this store prepares bytes") };
            RawDraft { key, value, cache_key: cache_key.unwrap_or_default() }
        });
        match self.queue.append(limit, &raw.collect::<Vec<_>>()).await? {
            RawAppended::Kept { ids, committing } => {
                self.arrivals.notify_one();
                let ids = ids.iter().map(|id| id.parse()).collect::<Result<_>>()?;
                Ok(Appended::Kept { ids, committing })
            }
            RawAppended::Full { waiting, dead } => Ok(Appended::Full(QueueDepth { waiting, dead })),
        }
    }

    /// Another process writes what comes still.
    fn close(&self) {}

    async fn room(&self) {
        /// Another process makes it.
        const PAUSE: Duration = Duration::from_millis(20);
        tokio::time::sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
    }

    async fn is_committing(&self, cache_key: &str) -> Result<bool> {
        self.queue.is_committing(cache_key).await
    }

    async fn is_last(&self, cache_key: &str, id: WriteId) -> Result<bool> {
        Ok(self.queue.last_of(cache_key).await? == Some(id.to_string()))
    }

    async fn take_over(&self) -> Result<bool> {
        let taken = self.queue.take_over(self.lease).await?;
        if taken {
            *lock(&self.given) = WriteId::default();
            *lock(&self.cursor) = Some(BEGINNING.to_owned());
        }
        Ok(taken)
    }

    async fn renew(&self) -> Result<bool> {
        self.queue.renew(self.lease).await
    }

    async fn release(&self) {
        if let Err(error) = self.queue.release().await {
            crate::panic_guard::report!(debug, %error, "the lease of a queue ends by itself");
        }
    }

    async fn fetch(&self, count: usize, in_hand: InHand) -> Result<Option<Fetched<T>>> {
        let Some(fetched) = self.give(count, in_hand).await? else { return Ok(None) };
        let mut split = Fetched { records: Vec::new(), broken: Vec::new() };
        for raw in &fetched.records {
            match record(raw, fetched.often.contains(&raw.id)) {
                Ok(record) => split.records.push(record),
                Err(broken) => split.broken.push(broken),
            }
        }
        Ok(Some(split))
    }

    async fn begin_alone(&self, id: WriteId) -> Result<u64> {
        self.queue.begin_alone(&id.to_string()).await
    }

    async fn end_alone(&self, id: WriteId) {
        if let Err(error) = self.queue.end_alone(&id.to_string()).await {
            crate::panic_guard::report!(debug, %error, "a write counts as one that ended its process once more");
        }
    }

    async fn arrival(&self) {
        self.listen();
        self.arrivals.notified().await;
    }

    async fn begin_commit(&self, cache_keys: &[(Arc<str>, WriteId)]) -> Result<Vec<bool>> {
        self.queue.begin_commit(&pairs(cache_keys)).await
    }

    async fn settle(&self, settlement: &Settlement, in_hand: InHand) -> Result<bool> {
        let dead: Vec<_> =
            settlement.dead.iter().map(|(id, reason)| (id.to_string(), reason.clone())).collect();
        let (done, cache_keys) = (texts(&settlement.done), pairs(&settlement.cache_keys));
        let settled = RawSettled { done: &done, dead: &dead, cache_keys: &cache_keys };
        self.queue.settle(&settled, &self.in_hand(in_hand)).await
    }

    async fn oldest(&self) -> Result<Option<WriteId>> {
        self.queue.oldest().await?.map(|id| id.parse()).transpose()
    }

    async fn newest(&self) -> Result<Option<WriteId>> {
        self.queue.newest().await?.map(|id| id.parse()).transpose()
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let QueueExtent { waiting, dead } = self.queue.extent().await?;
        Ok(QueueDepth { waiting, dead })
    }

    async fn dead(&self, count: usize) -> Result<Vec<DeadLetter<T>>> {
        let letters =
            self.queue.dead(count).await?.into_iter().map(|RawDead { record: raw, reason, write }| {
                let value =
                    raw.field(queue::VALUE).and_then(|value| Wire::default().decode_queued(value).ok());
                DeadLetter {
                    id: raw.id.parse().unwrap_or_default(),
                    write: write.parse().unwrap_or_default(),
                    key: raw.text(queue::KEY).unwrap_or_default().to_owned(),
                    value,
                    reason,
                }
            });
        Ok(letters.collect())
    }

    /// Another process writes them where this one has stopped.
    async fn replay(&self, ids: &[WriteId]) -> Result<Option<u64>> {
        let count = self.queue.replay(&texts(ids)).await?;
        self.arrivals.notify_one();
        Ok(Some(count))
    }

    async fn discard(&self, ids: &[WriteId]) -> Result<u64> {
        self.queue.discard(&texts(ids)).await
    }
}
