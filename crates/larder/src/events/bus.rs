//! Events: publishing, and who hears of them.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    event::{Event, EventId, check},
    memory::Topic,
    store::Store,
    subscription::Subscription,
};
use crate::{
    cache::Cache,
    error::{Kind, Result},
};
#[cfg(feature = "redis")]
use crate::{redis::RedisCache, tiered::TieredCache};

/// Where events are published, and heard of: in this process, or through Redis. Cheap to clone; clones are the same.
///
/// See [the module](crate::events).
#[derive(Clone)]
pub struct Events {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) retained: u64,
    carrier: Carrier,
}

#[derive(Clone)]
enum Carrier {
    Memory(Arc<RwLock<HashMap<&'static str, Arc<dyn Any + Send + Sync>>>>),
    #[cfg(feature = "redis")]
    Redis(RedisCache),
}

impl Events {
    /// Events of this process alone. What [`Group::on`](super::Group::on) names is invalidated in `cache`.
    pub fn local(cache: &dyn Cache) -> Self {
        Self { cache: cache.share(), retained: RETAINED, carrier: Carrier::Memory(Arc::default()) }
    }

    /// Events of all processes with the same servers and prefix as this cache, through its connections. What [`Group::on`](super::Group::on)
    /// names is invalidated in it.
    ///
    /// # Errors
    ///
    /// If the cache [seals](RedisCache) what is in Redis: events lie there as they are.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn redis(cache: &RedisCache) -> Result<Self> {
        Self::through(cache, cache)
    }

    /// The same for a cache in two tiers.
    ///
    /// # Errors
    ///
    /// Those of [`redis`](Self::redis).
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn tiered(cache: &TieredCache) -> Result<Self> {
        Self::through(cache, cache.redis())
    }

    #[cfg(feature = "redis")]
    fn through(cache: &dyn Cache, redis: &RedisCache) -> Result<Self> {
        if redis.seals() {
            let text =
                "events are not sealed, as the entries of this cache are: name a cache of its own for them";
            return Err(Kind::configuration(text.to_owned()).into());
        }
        Ok(Self { cache: cache.share(), retained: RETAINED, carrier: Carrier::Redis(redis.clone()) })
    }

    /// How many events of each kind are kept for groups that have not had them yet: about 100,000 unless this is called. Of
    /// more, the oldest are dropped. What this process publishes counts.
    #[must_use]
    pub fn retain(mut self, events: u64) -> Self {
        // The server's numbers are signed.
        self.retained = events.clamp(1, i64::MAX.unsigned_abs());
        self
    }

    /// Publishes an event for every [`group`](Self::group): each handles it at least once. When this returns, it is as safe
    /// as what Redis acknowledges.
    ///
    /// # Errors
    ///
    /// If the event cannot be encoded, or if the server does not acknowledge it within the deadline
    /// ([`is_unavailable`](crate::Error::is_unavailable)): it may have been published, once.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<EventId> {
        self.store::<E>()?.publish(event, self.retained).await
    }

    /// Tells an event to every [`Subscription`] that is there now, at most once. Nothing is kept of it.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish).
    pub async fn broadcast<E: Event>(&self, event: &E) -> Result<()> {
        self.store::<E>()?.broadcast(event).await
    }

    /// Hears of what is [broadcast](Self::broadcast) from here on. On Redis over a connection of its own.
    ///
    /// # Errors
    ///
    /// If Redis cannot be reached now. Afterwards it connects again by itself.
    pub async fn subscribe<E: Event>(&self) -> Result<Subscription<E>> {
        self.store::<E>()?.subscribe().await
    }

    pub(super) fn store<E: Event>(&self) -> Result<Arc<dyn Store<E>>> {
        check(E::NAME, "an event")?;
        match &self.carrier {
            Carrier::Memory(topics) => {
                let known = topics.read().unwrap_or_else(PoisonError::into_inner).get(E::NAME).cloned();
                let topic = known.unwrap_or_else(|| {
                    let mut topics = topics.write().unwrap_or_else(PoisonError::into_inner);
                    topics.entry(E::NAME).or_insert_with(|| Arc::new(Topic::<E>::default())).clone()
                });
                let topic = topic.downcast::<Topic<E>>().map_err(|_| {
                    Kind::configuration(format!("events of two types are called {:?}", E::NAME))
                })?;
                Ok(topic)
            }
            #[cfg(feature = "redis")]
            Carrier::Redis(cache) => Ok(Arc::new(super::redis_store::RedisStore::new(cache, E::NAME))),
        }
    }
}

/// See [`Events::retain`].
const RETAINED: u64 = 100_000;

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("retained", &self.retained).finish_non_exhaustive()
    }
}
