//! What keeps the writes of a queue until they are in the database: memory, or Redis.

use std::sync::Arc;

use async_trait::async_trait;

use super::{dead_letters::DeadLetter, id::WriteId};
use crate::error::Result;

/// A write that waits.
pub(super) struct Record<T> {
    pub(super) id: WriteId,
    pub(super) key: Arc<str>,
    /// What shows it in the cache, if something does.
    pub(super) cache_key: Option<Arc<str>>,
    pub(super) value: Arc<T>,
    /// Several consumers were given it, one after the other, and none has settled it: one of those that they had may be
    /// what ends them. It is written by itself.
    pub(super) alone: bool,
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        let Self { id, key, cache_key, value, alone } = self;
        Self { id: *id, key: key.clone(), cache_key: cache_key.clone(), value: value.clone(), alone: *alone }
    }
}

/// What waits and is no write of this type.
pub(super) struct Broken {
    pub(super) id: WriteId,
    pub(super) cache_key: Option<Arc<str>>,
    pub(super) reason: String,
}

/// A value in the form in which a store keeps it.
pub(super) enum Prepared<T> {
    Value(Arc<T>),
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only servers take bytes"))]
    Bytes(Vec<u8>),
}

impl<T> Prepared<T> {
    /// How many bytes it takes on its way to a server.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Value(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A write that is not acknowledged yet.
pub(super) struct Draft<'w, T> {
    pub(super) key: &'w str,
    pub(super) value: Prepared<T>,
    /// What shows it in the cache, if something does.
    pub(super) cache_key: Option<&'w str>,
}

/// What came of appending writes.
pub(super) enum Appended {
    /// They are safe. A commit of one of their cache keys is under way, or not.
    Kept {
        ids: Vec<WriteId>,
        committing: bool,
    },
    Full(QueueDepth),
    /// The queue takes no more.
    Closed,
}

/// What a consumer was given: in the order of the queue, and each write once, unless the lease was lost in between.
pub(super) struct Fetched<T> {
    pub(super) records: Vec<Record<T>>,
    pub(super) broken: Vec<Broken>,
}

/// What the consumer was given in its term and has not settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct InHand {
    pub(super) oldest: Option<WriteId>,
    pub(super) count: usize,
}

impl InHand {
    /// With these.
    pub(super) fn and(self, broken: &[Broken]) -> Self {
        let ids = broken.iter().map(|record| record.id);
        Self { oldest: self.oldest.into_iter().chain(ids).min(), count: self.count + broken.len() }
    }
}

/// How much lies in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueDepth {
    /// Writes that are acknowledged, and not yet in the database.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Writes that are over, one way or the other.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// Written.
    pub(super) done: Vec<WriteId>,
    /// Given up, with the reason.
    pub(super) dead: Vec<(WriteId, String)>,
    /// The cache keys of both, each with the last write of it.
    pub(super) cache_keys: Vec<(Arc<str>, WriteId)>,
}

/// Keeps writes. All methods may be called by several tasks at once.
#[async_trait]
pub(super) trait Store<T>: Send + Sync {
    fn prepare(&self, value: &T, key: &str) -> Result<Prepared<T>>;

    /// Keeps these writes, in their order and with none between them, unless there were more than `limit` then: none of
    /// them is kept then.
    async fn append(&self, limit: u64, drafts: &[Draft<'_, T>]) -> Result<Appended>;

    /// Takes no more writes from here on, where this process alone could write them.
    fn close(&self);

    /// Waits until there may be room.
    async fn room(&self);

    /// Whether a commit of this cache key is under way.
    async fn is_committing(&self, cache_key: &str) -> Result<bool>;

    /// Whether this is the last write of this cache key, and still waits.
    async fn is_last(&self, cache_key: &str, id: WriteId) -> Result<bool>;

    /// Becomes the one consumer, if there is none. What the one before was given and has not settled is given again.
    async fn take_over(&self) -> Result<bool>;

    /// Stays the consumer. False if it no longer is.
    async fn renew(&self) -> Result<bool>;

    /// Is the consumer no longer.
    async fn release(&self);

    /// Gives up to `count` writes. None if this is no longer the consumer, or has to take over anew: a server that stepped
    /// in has a write that was settled, older than what is in hand.
    async fn fetch(&self, count: usize, in_hand: InHand) -> Result<Option<Fetched<T>>>;

    /// Counts, where no end of a process undoes it, that a write which is to be [`alone`](Record::alone) is given to the
    /// sink; says how often it was and the sink never returned, this time included.
    async fn begin_alone(&self, id: WriteId) -> Result<u64>;

    /// The sink returned, whatever it said.
    async fn end_alone(&self, id: WriteId);

    /// Returns when there may be something to fetch.
    async fn arrival(&self);

    /// Marks these cache keys, and says of each whether no later write of it waits.
    async fn begin_commit(&self, cache_keys: &[(Arc<str>, WriteId)]) -> Result<Vec<bool>>;

    /// Removes writes, which are still in hand, and the marks of cache keys. False if this is no longer the consumer, or has
    /// to take over anew, as [`fetch`](Self::fetch) says.
    async fn settle(&self, settlement: &Settlement, in_hand: InHand) -> Result<bool>;

    async fn oldest(&self) -> Result<Option<WriteId>>;

    async fn newest(&self) -> Result<Option<WriteId>>;

    async fn depth(&self) -> Result<QueueDepth>;

    async fn dead(&self, count: usize) -> Result<Vec<DeadLetter<T>>>;

    /// Appends dead letters again; says how many were there. None if the queue takes no more: they stay.
    async fn replay(&self, ids: &[WriteId]) -> Result<Option<u64>>;

    async fn discard(&self, ids: &[WriteId]) -> Result<u64>;
}
