//! Where the tests' caches lie.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, Policy, Scope};
use larder_memcached::{MemcachedCache, MemcachedCacheBuilder};
use larder_servers::MemcachedServer;

/// Nodes, and a prefix on them that no other test has.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) addresses: Vec<String>,
    pub(crate) prefix: String,
}

impl Place {
    pub(crate) fn on<'s>(servers: impl IntoIterator<Item = &'s MemcachedServer>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let prefix = format!("test{}", NUMBER.fetch_add(1, Relaxed));
        Self { addresses: servers.into_iter().map(|server| server.address().to_string()).collect(), prefix }
    }

    /// On three servers that tests share which do them no harm.
    pub(crate) fn shared() -> Self {
        static SERVERS: OnceLock<[MemcachedServer; 3]> = OnceLock::new();
        // A static is not dropped: the watcher of a server's process ends it with ours.
        Self::on(SERVERS.get_or_init(|| std::array::from_fn(|_| MemcachedServer::start())))
    }

    /// Patient: the machine may be busy, and a test that is about time says so itself.
    pub(crate) fn builder(&self) -> MemcachedCacheBuilder {
        let builder = MemcachedCache::builder().nodes(&self.addresses).prefix(&self.prefix);
        builder.deadline(Duration::from_secs(30)).connect_timeout(Duration::from_secs(60))
    }

    /// A cache as another process has it.
    pub(crate) async fn cache(&self) -> MemcachedCache {
        self.builder().connect().await.unwrap()
    }

    /// One that gives up soon.
    pub(crate) fn impatient(&self) -> MemcachedCache {
        self.builder().deadline(Duration::from_millis(250)).connect_lazily().unwrap()
    }
}

/// What the generation of a scope is called.
pub(crate) fn generation(place: &Place, scope: &Scope) -> String {
    format!("{}:g:{:016x}", place.prefix, scope.hash().get())
}

pub(crate) fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(600))
}

/// A text that cannot be compressed.
pub(crate) fn bulk(length: usize) -> String {
    std::iter::repeat_with(|| fastrand::char(' '..'\u{7f}')).take(length).collect()
}

/// Waits for what must come about.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < end, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Stores a value until it is found in another cache.
pub(crate) async fn share(from: &MemcachedCache, to: &MemcachedCache, key: &str, value: u64) {
    eventually("a value is shared", async || {
        from.insert(key, &value, policy()).await.unwrap();
        to.get::<u64>(key).await.unwrap() == Some(value)
    })
    .await;
}
