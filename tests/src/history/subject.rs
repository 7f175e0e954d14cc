//! The cache under test: the one place that chooses it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder::{
    Cache, CacheExt, Deferred, DisconnectPolicy, Epoch, Invalidation, MemoryCache, Policy, RedisCache, Scope,
    TieredCache,
};

use super::clock::{self, Moment};
use super::config::{Backend, Mode, Servers};
use super::log::Outcome;
use super::space::NAMESPACE;
use super::value::Made;

/// Small enough that entries are evicted now and then, and are found elsewhere.
const CAPACITY: u64 = 60;

/// Of a disk tier: small enough that its files come and go.
const DISK_CAPACITY: u64 = 4 << 20;

/// Few, so that collisions are part of the game.
const SCOPE_SLOTS: usize = 4096;

/// Of an epoch as a number: how many bits of it are the sequence of its record's ID.
const SEQUENCE_BITS: u32 = 22;

/// What tells how far an invalidation has come.
pub type Coming = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A cache, and what it says of its link to the others.
pub struct Subject {
    cache: Arc<dyn Cache>,
    shared: Option<TieredCache>,
}

impl Subject {
    /// Opens the cache that the configuration names. It need not be connected by then.
    ///
    /// # Panics
    ///
    /// If the configuration is wrong.
    #[must_use]
    pub fn open(backend: &Backend, mode: Mode, disk: Option<&Path>) -> Self {
        let mut memory = MemoryCache::builder().capacity(CAPACITY).scope_slots(SCOPE_SLOTS);
        if let Some(disk) = disk {
            memory = memory.disk(disk).disk_capacity(DISK_CAPACITY);
        }
        let memory = memory.build().expect("the capacity is no mistake, and the folder is free");
        match backend {
            Backend::Memory => Self { cache: Arc::new(memory), shared: None },
            Backend::Tiered { servers, replicas } => {
                let cache = TieredCache::new(memory, open_redis(servers, *replicas, mode));
                Self { cache: Arc::new(cache.clone()), shared: Some(cache) }
            }
        }
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    /// How many entries were found on disk.
    #[must_use]
    pub fn from_disk(&self) -> u64 {
        self.cache.stats().disk_hits
    }

    /// Invalidates.
    pub fn invalidate(&self, scopes: &[Scope]) -> Coming {
        coming(self.cache.invalidate(scopes))
    }

    /// Ends a transaction that was committed.
    pub fn commit(&self, scope: Deferred) -> Coming {
        coming(scope.commit())
    }

    /// Marks stale.
    pub fn mark_stale(&self, scopes: &[Scope]) -> Coming {
        coming(self.cache.mark_stale(scopes))
    }

    /// Invalidates the namespace.
    pub fn bump(&self) -> Coming {
        coming(self.cache.namespace(NAMESPACE).bump())
    }

    /// Inserts a value that was read just now, or since a point before that.
    pub async fn insert(&self, since: Option<larder::ReadVersion>, key: &str, value: &Made, policy: &Policy) {
        let inserted = match since {
            Some(since) => self.cache.insert_since(since, key, value, policy).await,
            None => self.cache.insert(key, value, policy).await,
        };
        inserted.expect("the key is a good one");
    }

    /// Until when it says that it was in touch with the others; none if there are none.
    #[must_use]
    pub fn in_touch(&self) -> Option<Moment> {
        let shared = self.shared.as_ref()?;
        // Before the question: what is too early is on the safe side.
        let now = clock::now();
        let out = u64::try_from(shared.link().out_of_touch.as_nanos()).unwrap_or(u64::MAX);
        Some(now.saturating_sub(out))
    }

    /// The epoch up to which it says that it has heard of everything; zero for nothing.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| number(shared.link().position))
    }

    /// How many invalidations wait to be told to others; none if there are no others.
    #[must_use]
    pub fn waiting(&self) -> Option<u64> {
        self.shared.as_ref().map(|shared| shared.link().waiting)
    }

    /// Waits until everything up to an epoch was heard of; false if that takes too long.
    pub async fn wait_for(&self, epoch: u64, limit: Duration) -> bool {
        let Some(shared) = &self.shared else { return false };
        tokio::time::timeout(limit, shared.wait_for(epoch_of(epoch))).await.unwrap_or(false)
    }
}

fn open_redis(servers: &Servers, replicas: bool, mode: Mode) -> RedisCache {
    let builder = match servers {
        Servers::Single(url) => RedisCache::builder().url(url),
        Servers::Cluster(nodes) => RedisCache::builder().cluster(nodes),
        Servers::Sentinel(nodes, master) => RedisCache::builder().sentinel(nodes, master),
    };
    let builder = builder.read_from_replicas(replicas);
    let builder = builder.scope_slots(SCOPE_SLOTS).on_disconnect(match mode {
        Mode::Serve => DisconnectPolicy::Serve,
        Mode::Bypass(limit) => DisconnectPolicy::Bypass(limit),
    });
    builder.connect_lazily().expect("the configuration is right")
}

fn coming(invalidating: larder::Invalidating) -> Coming {
    Box::pin(async move {
        match invalidating.await {
            Invalidation::Delivered(epoch) => Outcome::Delivered(number(epoch)),
            Invalidation::Queued => Outcome::Queued,
        }
    })
}

/// An epoch as a number that grows with it.
fn number(epoch: Epoch) -> u64 {
    let text = epoch.to_string();
    let (milliseconds, sequence) = text.split_once('-').expect("an epoch is written as an ID of a stream");
    let part = |text: &str| text.parse::<u64>().expect("an ID of a stream is two numbers");
    part(milliseconds) << SEQUENCE_BITS | part(sequence)
}

/// The epoch that such a number is.
fn epoch_of(number: u64) -> Epoch {
    let text = format!("{}-{}", number >> SEQUENCE_BITS, number & ((1 << SEQUENCE_BITS) - 1));
    text.parse().expect("the number was an epoch's")
}
