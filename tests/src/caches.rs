//! Caches on servers of the test's own.

use std::{
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

use larder::{MemoryCache, Policy, RedisCache, RedisCacheBuilder, TieredCache};
use larder_servers::{DEADLINE, RedisServer};

/// A process, as the log sees it. Caches share a log, and with it position, outbox and tables, if they spell the
/// server's address in the same way; otherwise they know as little of each other as two processes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// The first one.
    A,
    /// The second one.
    B,
    /// The third one.
    C,
}

impl Process {
    /// The server's URL, as this process spells it.
    #[must_use]
    pub fn url(self, server: &RedisServer) -> String {
        let host = match self {
            Self::A => "127.0.0.1",
            Self::B => "localhost",
            Self::C => "LOCALHOST",
        };
        server.url().replace("127.0.0.1", host)
    }

    /// How this process connects.
    pub fn builder(self, server: &RedisServer) -> RedisCacheBuilder {
        patient(RedisCache::builder().url(self.url(server)))
    }

    /// This process' cache in two tiers.
    pub async fn tiered(self, server: &RedisServer) -> TieredCache {
        tiered(self.builder(server)).await
    }

    /// This process' cache without a memory of its own.
    pub async fn bare(self, server: &RedisServer) -> RedisCache {
        self.builder(server).connect().await.expect("the server is up")
    }
}

/// With a longer deadline than usual: a machine that builds something else at the same time is slow.
pub fn patient(builder: RedisCacheBuilder) -> RedisCacheBuilder {
    builder.deadline(Duration::from_secs(5))
}

/// Memory in front of Redis.
pub async fn tiered(builder: RedisCacheBuilder) -> TieredCache {
    TieredCache::new(MemoryCache::new(10_000), builder.connect().await.expect("the server is up"))
}

/// A policy that outlives every test.
#[must_use]
pub fn long() -> Policy {
    Policy::ttl(Duration::from_secs(3_600))
}

/// So many milliseconds.
#[must_use]
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Asks until the answer is yes.
///
/// # Panics
///
/// After [`DEADLINE`].
#[track_caller]
pub fn eventually<F: Future<Output = bool>>(condition: impl FnMut() -> F) -> impl Future<Output = ()> {
    ask(Location::caller(), condition)
}

async fn ask<F: Future<Output = bool>>(caller: &Location<'_>, mut condition: impl FnMut() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "the condition at {caller} never came true");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// How often a server has executed a command, scripts included.
///
/// # Panics
///
/// If the server does not tell.
#[must_use]
pub fn calls(server: &RedisServer, command: &str) -> u64 {
    // Servers before 7.0 count subcommands with their command.
    let container = command.split('|').next().unwrap_or(command);
    let of = |command: &str| server.info("commandstats", &format!("cmdstat_{command}"));
    let Some(text) = of(command).or_else(|| of(container)) else { return 0 };
    let number = text.split(',').find_map(|field| field.strip_prefix("calls="));
    number.and_then(|number| number.parse().ok()).expect("the server counts its calls")
}
