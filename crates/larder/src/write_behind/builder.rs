//! Setting up a queue.

use std::{
    marker::PhantomData,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};

use super::{
    consumer::Consumer,
    handle::{Control, Running, WriteBehind},
    memory::MemoryStore,
    options::{Coalesce, Options, WhenFull},
    queue_state::{Phase, Shared},
    sink::Sink,
    stats::Figures,
    store::Store,
};
use crate::{
    cache::Cache,
    error::{Kind, Result},
    log_throttle::LogThrottle,
    value::Value,
};
#[cfg(feature = "redis")]
use crate::{redis::RedisCache, tiered::TieredCache};

impl<T: Value> WriteBehind<T> {
    /// Sets up a queue of this name: one of its own for each type and table. On Redis, all processes with the same
    /// servers, prefix and name share it.
    pub fn builder(name: impl Into<String>) -> WriteBehindBuilder<T> {
        WriteBehindBuilder {
            options: Options::new(name.into()),
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "redis")]
            in_clear: false,
            _values: PhantomData,
        }
    }
}

/// Builds a [`WriteBehind`].
#[must_use = "a builder does nothing until `start` is called"]
pub struct WriteBehindBuilder<T> {
    options: Options<T>,
    #[cfg(feature = "redis")]
    redis: Option<RedisCache>,
    #[cfg(feature = "redis")]
    in_clear: bool,
    _values: PhantomData<fn() -> T>,
}

impl<T: Value> WriteBehindBuilder<T> {
    /// The cache that shows writes: see [`write_cached`](WriteBehind::write_cached). All processes that write to the
    /// queue, and all that consume it, name the same one.
    pub fn cache(mut self, cache: &dyn Cache) -> Self {
        self.options.cache = Some(cache.share());
        self
    }

    /// Keeps the queue in Redis, with the servers, prefix and deadline of this cache, and its connections for commands;
    /// a consumer has one more. Without it, the queue is in this process' memory.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn redis(mut self, cache: &RedisCache) -> Self {
        self.redis = Some(cache.clone());
        self
    }

    /// The cache that shows writes, and its Redis for the queue.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn tiered(self, cache: &TieredCache) -> Self {
        self.cache(cache).redis(cache.redis())
    }

    /// Keeps writes in a Redis whose cache [seals](crate::RedisCacheBuilder) what is there (feature `seal`): those of a queue
    /// are not sealed, so that their keys and values can be read, and changed, by who has access to the server. Without
    /// this, such a queue is refused.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn in_clear(mut self) -> Self {
        self.in_clear = true;
        self
    }

    /// How many writes the sink is given at once: 500 by default, 10,000 at most.
    pub fn max_batch(mut self, writes: usize) -> Self {
        self.options.max_batch = writes;
        self
    }

    /// How long a write waits for others to fill its batch: 50 ms by default. Zero: for none.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.options.max_delay = delay;
        self
    }

    /// Makes one write of several of one key in a batch: `merge(older, newer)`. Without it, the last one is written.
    ///
    /// What was merged and written may be merged and written again after a crash, then with later writes: a maximum, a
    /// union, or newer fields over older ones come out right; a sum counts twice, unless the sink knows what it has.
    pub fn merge(mut self, merge: impl Fn(T, T) -> T + Send + Sync + 'static) -> Self {
        self.options.coalesce = Coalesce::Merge(Arc::new(merge));
        self
    }

    /// Gives the sink every write, several of one key in a batch included, in their order.
    pub fn keep_all(mut self) -> Self {
        self.options.coalesce = Coalesce::Off;
        self
    }

    /// How often a write fails, while others are written, before it becomes a dead letter: 8 times by default. What fails
    /// while nothing at all is written does not count: the database is away.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.retries.attempts = attempts;
        self
    }

    /// How long to wait after a failure, and after many: 100 ms and 30 s by default. Doubled from one to the next, and
    /// shortened at random by up to half.
    pub fn retry_pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.options.retries.first, self.options.retries.longest) = (first, longest);
        self
    }

    /// How long the sink may take for a batch: 30 s by default. Its task is aborted then, and the batch counts as failed.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// How many writes may wait, dead letters included: 100,000 by default. It bounds what an outage of the database
    /// costs in memory, here or in Redis. Each process applies its own to all that waits.
    pub fn max_waiting(mut self, writes: u64) -> Self {
        self.options.max_waiting = writes;
        self
    }

    /// What becomes of a write to a full queue: it waits up to 5 s by default.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.options.when_full = when_full;
        self
    }

    /// On Redis: after how long another process takes over from a consumer that was killed, stopped or cut off: 10 s by
    /// default, 200 ms at least, by the server's clock. A consumer that ends by [`stop`](WriteBehind::stop) is followed
    /// sooner.
    pub fn takeover_after(mut self, time: Duration) -> Self {
        self.options.takeover_after = time;
        self
    }

    /// Starts the queue, and consumes it in this process with `sink`, whenever no other process does. The consumer lives
    /// in the current runtime.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or this is no tokio runtime.
    pub fn start(self, sink: impl Sink<T>) -> Result<WriteBehind<T>> {
        self.build(Some(Arc::new(sink)))
    }

    /// Starts the queue for writing alone: other processes consume it.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the queue is not in Redis.
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub fn producer(self) -> Result<WriteBehind<T>> {
        if self.redis.is_none() {
            let text = "a queue in memory is consumed by its own process: call `start`, or name a Redis";
            return Err(Kind::configuration(text).into());
        }
        self.build(None)
    }

    fn build(self, sink: Option<Arc<dyn Sink<T>>>) -> Result<WriteBehind<T>> {
        self.options.check()?;
        self.check_sealing()?;
        let runtime = Handle::try_current().map_err(|_| {
            Kind::configuration(
                "there is no tokio runtime here, in which a write-behind queue runs: start it in one",
            )
        })?;
        let (store, without_handle) = self.store();
        let shared = Arc::new(Shared {
            store,
            options: self.options,
            figures: Figures::default(),
            wake: Notify::new(),
            hurries: AtomicU64::new(0),
            at_sink: Arc::default(),
            without_handle,
        });
        let (sender, phase) = watch::channel(Phase::Running);
        let consumer = sink.map(|sink| {
            let (shared, failures) = (shared.clone(), LogThrottle::new());
            let consumer = Consumer { shared, sink, phase, orphaned: false, failures };
            Running::spawn(&runtime, consumer.run())
        });
        let control = Control { phase: sender, consumer };
        Ok(WriteBehind { shared, control: Arc::new(control) })
    }

    #[cfg(feature = "redis")]
    fn check_sealing(&self) -> Result<()> {
        if !self.in_clear && self.redis.as_ref().is_some_and(RedisCache::seals) {
            let text = "the writes of a queue are not sealed, as the entries of this cache are: name a Redis of its own, or \
                        say `in_clear` if their keys and values may be seen there";
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }

    #[cfg(not(feature = "redis"))]
    fn check_sealing(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(feature = "redis")]
    fn store(&self) -> (Arc<dyn Store<T>>, Phase) {
        match &self.redis {
            Some(cache) => {
                let Options { name, takeover_after, .. } = &self.options;
                (Arc::new(super::redis_store::RedisStore::new(cache, name, *takeover_after)), Phase::Over)
            }
            None => (Arc::new(MemoryStore::default()), Phase::Draining),
        }
    }

    #[cfg(not(feature = "redis"))]
    fn store(&self) -> (Arc<dyn Store<T>>, Phase) {
        (Arc::new(MemoryStore::default()), Phase::Draining)
    }
}
