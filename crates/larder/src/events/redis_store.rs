//! Events of one kind in Redis.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    event::{DeadEvent, Event, EventId},
    store::{Delivery, Store},
    subscription::Subscription,
};
use crate::{
    error::{Kind, Result},
    redis::{
        RedisCache,
        events::{EventStream, RawEvents, VALUE},
        stream::{Listener, RawRecord},
    },
    sync::plain::{Mutex, lock},
    wire::Wire,
};

/// How many events are taken at once.
const AT_ONCE: usize = 16;

pub(super) struct RedisStore<E> {
    stream: EventStream,
    listener: tokio::sync::Mutex<Listener>,
    /// Nothing up to this is new to the group that fetched last.
    newest: Mutex<String>,
    _events: PhantomData<fn() -> E>,
}

impl<E: Event> RedisStore<E> {
    pub(super) fn new(cache: &RedisCache, name: &str) -> Self {
        let stream = EventStream::new(cache, name);
        let listener = tokio::sync::Mutex::new(stream.listener());
        Self { stream, listener, newest: Mutex::new("0-0".to_owned()), _events: PhantomData }
    }

    fn encode(event: &E) -> Result<Vec<u8>> {
        Wire::default().encode_queued(event).map_err(|reason| {
            let cause = reason.cause().cloned();
            Kind::Unencodable { key: E::NAME.to_owned(), reason: reason.to_string(), cause }.into()
        })
    }
}

fn decode<E: Event>(record: &RawRecord) -> Result<E, String> {
    let value = record.field(VALUE).ok_or("it has no value")?;
    Wire::default()
        .decode_queued(value)
        .map_err(|reason| format!("it is no event of this type in this release ({})", reason.name()))
}

fn delivery<E: Event>((record, times): (RawRecord, u64)) -> Delivery<E> {
    Delivery { event: decode(&record).map(Arc::new), id: EventId(record.id), raw: record.fields, times }
}

#[async_trait]
impl<E: Event> Store<E> for RedisStore<E> {
    async fn publish(&self, event: &E, retained: u64) -> Result<EventId> {
        self.stream.publish(Self::encode(event)?, retained).await.map(EventId)
    }

    async fn broadcast(&self, event: &E) -> Result<()> {
        self.stream.broadcast(Self::encode(event)?).await
    }

    async fn subscribe(&self) -> Result<Subscription<E>> {
        let mut subscriber = self.stream.subscriber();
        subscriber.connect().await?;
        Ok(Subscription::redis(subscriber))
    }

    async fn join(&self, group: &str, from_oldest: bool) -> Result<()> {
        self.stream.join(group, from_oldest).await
    }

    async fn fetch(&self, group: &str) -> Result<Vec<Delivery<E>>> {
        let RawEvents { records, newest } = self.stream.fetch(group, AT_ONCE).await?;
        *lock(&self.newest) = newest.unwrap_or_else(|| "0-0".to_owned());
        Ok(records.into_iter().map(|record| delivery((record, 1))).collect())
    }

    async fn claim(&self, group: &str, silent: Duration) -> Result<Option<Delivery<E>>> {
        Ok(self.stream.claim(group, silent).await?.map(delivery))
    }

    /// They are claimed.
    fn abandon(&self, _group: &str, _ids: &[EventId]) {}

    async fn keep(&self, group: &str, ids: &[EventId]) {
        let ids: Vec<_> = ids.iter().map(|id| id.0.clone()).collect();
        // If it fails, another process takes them: they are handled twice.
        _ = self.stream.keep(group, &ids, Duration::ZERO).await;
    }

    async fn give_back(&self, group: &str, deliveries: Vec<Delivery<E>>, silent: Duration) {
        let ids: Vec<_> = deliveries.into_iter().map(|delivery| delivery.id.0).collect();
        if !ids.is_empty() {
            _ = self.stream.keep(group, &ids, silent).await;
        }
    }

    async fn acknowledge(&self, group: &str, id: &EventId) -> Result<()> {
        self.stream.acknowledge(group, &id.0).await
    }

    async fn bury(&self, group: &str, delivery: &Delivery<E>, reason: &str) -> Result<()> {
        let record = RawRecord { id: delivery.id.0.clone(), fields: delivery.raw.clone() };
        self.stream.bury(group, &record, reason).await?;
        self.stream.acknowledge(group, &delivery.id.0).await
    }

    async fn arrival(&self, _group: &str) {
        let newest = lock(&self.newest).clone();
        self.listener.lock().await.hears(&newest, Duration::from_secs(1)).await;
    }

    async fn dead(&self, group: &str, count: usize) -> Result<Vec<DeadEvent<E>>> {
        let dead = |record: RawRecord| DeadEvent {
            event: decode(&record).ok(),
            reason: record.text("reason").unwrap_or_default().to_owned(),
            id: EventId(record.id),
        };
        Ok(self.stream.dead(group, count).await?.into_iter().map(dead).collect())
    }

    async fn replay(&self, group: &str, id: &EventId, retained: u64) -> Result<bool> {
        self.stream.replay(group, &id.0, retained).await
    }

    async fn discard(&self, group: &str, id: &EventId) -> Result<bool> {
        self.stream.discard(group, &id.0).await
    }
}
