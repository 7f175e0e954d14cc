//! Nodes of one service.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, MemoryCache, RedisCache, RedisCacheBuilder, TieredCache, codec};
use larder_http::HttpCache;
use larder_servers::RedisServer;
use tokio::task::JoinSet;

use crate::support::{
    Handler, Said, Seen, TestClock,
    client::{Received, get},
    handler,
    servers::{Framework, Server},
};

/// Longer than a busy machine lets an answer wait. A node that waits for a lease in vain is found out by this.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// How long a lease is waited for, where no node should wait for one.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Tiers {
    /// Redis alone.
    Bare,
    /// Memory in front of it.
    Tiered,
}

/// Has a cache write with a codec.
pub(crate) type With = fn(RedisCacheBuilder) -> RedisCacheBuilder;

pub(crate) const MESSAGE_PACK: With = |redis| redis.codec(codec::MessagePack);
pub(crate) const JSON: With = |redis| redis.codec(codec::Json);

/// What a node is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) framework: Framework,
    pub(crate) tiers: Tiers,
    pub(crate) codec: With,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self { framework: Framework::Axum, tiers: Tiers::Tiered, codec: MESSAGE_PACK },
        Self { framework: Framework::Axum, tiers: Tiers::Bare, codec: JSON },
        #[cfg(feature = "actix")]
        Self { framework: Framework::Actix, tiers: Tiers::Tiered, codec: JSON },
        #[cfg(feature = "actix")]
        Self { framework: Framework::Actix, tiers: Tiers::Bare, codec: MESSAGE_PACK },
    ];

    pub(crate) async fn store(self, redis: RedisCacheBuilder) -> Arc<dyn Cache> {
        let redis = (self.codec)(redis).connect().await.unwrap();
        match self.tiers {
            Tiers::Bare => Arc::new(redis),
            Tiers::Tiered => Arc::new(TieredCache::new(MemoryCache::new(1000), redis)),
        }
    }
}

/// How a node other than the first one spells a server's URL. Caches with one spelling share what they know of the
/// log; with two they know as little of each other as two processes do.
pub(crate) fn other_url(redis: &RedisServer) -> String {
    redis.url().replace("127.0.0.1", "localhost")
}

/// Patient: a machine that builds something else at the same time is slow.
pub(crate) fn patient(url: String) -> RedisCacheBuilder {
    patiently(RedisCache::builder().url(url))
}

/// As [`patient`], wherever it leads.
pub(crate) fn patiently(redis: RedisCacheBuilder) -> RedisCacheBuilder {
    redis.deadline(SOON).lease_lifetime(LEASE)
}

/// Two nodes, the server or servers that they have in common, and their clock.
pub(crate) struct Nodes<R = RedisServer> {
    pub(crate) caches: [Arc<dyn Cache>; 2],
    servers: [Server; 2],
    pub(crate) clock: TestClock,
    pub(crate) redis: R,
}

impl Nodes {
    /// Nodes with a handler each, which may use the node's cache.
    pub(crate) async fn start(kind: Kind, handlers: impl Fn(usize, &Arc<dyn Cache>) -> Handler) -> Self {
        Self::with(kind, |redis| redis, |http| http, handlers).await
    }

    pub(crate) async fn with(
        kind: Kind,
        redis_options: impl Fn(RedisCacheBuilder) -> RedisCacheBuilder,
        options: impl Fn(HttpCache) -> HttpCache,
        handlers: impl Fn(usize, &Arc<dyn Cache>) -> Handler,
    ) -> Self {
        let redis = RedisServer::start();
        let ways = [redis.url(), other_url(&redis)].map(|url| redis_options(patient(url)));
        Self::over(redis, ways, kind, options, handlers).await
    }
}

impl<R> Nodes<R> {
    /// With the ways by which the nodes find `redis`.
    pub(crate) async fn over(
        redis: R,
        ways: [RedisCacheBuilder; 2],
        kind: Kind,
        options: impl Fn(HttpCache) -> HttpCache,
        handlers: impl Fn(usize, &Arc<dyn Cache>) -> Handler,
    ) -> Self {
        let [a, b] = ways.map(|way| kind.store(way));
        let caches = [a.await, b.await];
        let clock = TestClock::new();
        let serve = async |n: usize| {
            let clock = clock.clone();
            let http = HttpCache::new(caches[n].clone()).clock(move || clock.now());
            kind.framework.serve(options(http), handlers(n, &caches[n])).await
        };
        let servers = [serve(0).await, serve(1).await];
        Self { caches, servers, clock, redis }
    }

    pub(crate) fn address(&self, n: usize) -> SocketAddr {
        self.servers[n].address
    }

    pub(crate) async fn get(&self, n: usize, path: &str) -> Received {
        get(self.address(n), path, &[]).await
    }
}

/// Counts how often a handler is asked, and tells it the number.
pub(crate) fn counted<F>(
    respond: impl Fn(Seen, usize) -> F + Send + Sync + 'static,
) -> (Handler, Arc<AtomicUsize>)
where
    F: Future<Output = Said> + Send + 'static,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    (handler(move |seen| respond(seen, counter.fetch_add(1, Ordering::SeqCst))), asked)
}

/// So many ask each of these nodes at once.
pub(crate) async fn all_ask(number: usize, at: &[SocketAddr], path: &'static str) -> Vec<Received> {
    let mut asking = JoinSet::new();
    for n in 0..number * at.len() {
        let at = at[n % at.len()];
        asking.spawn(async move { get(at, path, &[]).await });
    }
    asking.join_all().await
}

/// Fails if it takes longer than it should, or a machine is slow.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(SOON, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {SOON:?}"),
    }
}
