//! A caching library for Rust services: annotate a function, and its result is kept, computed once
//! however many ask for it, and gone the moment it is invalidated.
//!
//! ```
//! use larder::{cached, invalidate};
//!
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! # struct User { id: u64, name: String }
//! # struct Db;
//! # impl Db {
//! #     async fn find(&self, id: u64) -> Result<User, String> { Ok(User { id, name: "Ada".into() }) }
//! #     async fn set_name(&self, id: u64, name: &str) -> Result<(), String> { Ok(()) }
//! # }
//! #[cached(ttl = 300, key = "user:<id>", skip(db))]
//! async fn user(db: &Db, id: u64) -> Result<User, String> {
//!     db.find(id).await // a slow query
//! }
//!
//! #[invalidate("user:<id>")]
//! async fn rename(db: &Db, id: u64, name: &str) -> Result<(), String> {
//!     db.set_name(id, name).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), String> {
//! # let db = Db;
//! user(&db, 7).await?; // runs the query
//! user(&db, 7).await?; // does not
//! rename(&db, 7, "Grace").await?;
//! user(&db, 7).await?; // runs it again
//! # Ok(())
//! # }
//! ```
//!
//! Nothing has to be set up: the default cache is in this process' memory, and holds 10,000 entries. One line
//! shares it with other processes [through Redis](guide::redis).
//!
//! # What you get
//!
//! - **Freshness you can reason about.** An entry is valid if and only if nothing that covers it was
//!   invalidated since its computation began: [the one rule](guide::one_rule).
//! - **Keys checked by the compiler.** Every argument is in the key or explicitly skipped, and none can
//!   forge another key.
//! - **Invalidation that follows the data.** A value computed from other cached values goes when they go.
//! - **One computation a key**, however many callers wait for it: [what that takes by hand](guide::by_hand).
//! - **Hits that cost next to nothing**: no allocation, no boxed future, and no lock for what is hit most.
//!
//! # Where to find what
//!
//! | | |
//! | --- | --- |
//! | annotate functions | [`#[cached]`](macro@cached), [`#[cached_many]`](macro@cached_many), [`#[invalidate]`](macro@invalidate), [`#[cache_put]`](macro@cache_put) |
//! | decide what to cache, for how long, and how to name it | [choosing](guide::choosing) |
//! | let larder choose for how long | [`Policy::adaptive`]; [how it does](guide::lifetimes) |
//! | find what another cache's features are called here, and migrate | [coming from another cache](guide::coming_from) |
//! | decide how long values live | [`Policy`], and [`context()`] inside of a computation |
//! | compute from the old value: conditional requests | [`Context::previous`] |
//! | use a cache without macros | [`CacheExt`], on every [`Cache`]; [`Blocking`] for code that is not async, [`Local`] for values without serde |
//! | size the cache, or use several | `guide::sizing`; [`MemoryCache`], [`install`], [`install_as`] |
//! | know what callers get while Redis or the database is down | `guide::outages` |
//! | keep one user's answers from another | `guide::security` |
//! | annotate functions that are not async, or keep values without serde | [`#[cached]`](macro@cached#functions-that-are-not-async); [`local`](macro@cached#values-that-stay-in-this-process) |
//! | annotate functions that return a stream | [`#[cached]`](macro@cached#streams) |
//! | know what can be shared, and what is not | [what a cached value must be](guide::values) |
//! | share it with other processes | [`TieredCache`], [`RedisCache`], [`from_env`]; [what is promised](guide::redis) |
//! | share it through PostgreSQL or SQLite | the crate `larder-sql` |
//! | share it through memcached | the crate `larder-memcached` |
//! | keep Redis from reading or changing it | `RedisCacheBuilder::seal` and `hash_keys`, with the feature `seal` |
//! | invalidate with a database transaction | [`deferred()`]; [transactions](guide::transactions) |
//! | have one process do something | [`CacheExt::lock`] |
//! | find entries again after a restart | `MemoryCacheBuilder::disk`, with the feature `disk`: `guide::disk` |
//! | limit how fast something is called | `limit`, with the feature of that name |
//! | count what is hot, by the minute or the day, and rank what comes most often | `counters`, with the feature of that name |
//! | fill it before the first call | [`warm()`]; on a schedule, [`refresh_every`] |
//! | tell other services what happened, and invalidate by it | `events`, with the feature of that name |
//! | group keys | [`Namespace`], [`Scope`] |
//! | see what happens | [`CacheStats`]; [`Outcome`], of one call; [`Link`], of servers; [`CacheExt::events`], as it happens |
//! | see what is kept, and what lies in Redis | [`CacheExt::keys`], with the feature `inspect` for Redis; [`CacheExt::entries_in_memory`], by scope |
//! | see all processes at once | `heartbeat`, and the command `larder` |
//! | keep entries elsewhere | [`Storage`], and [`Cache`] beside it |
//! | share them in another format | [`codec`], and [`Codec`] for one of your own |
//!
//! # Features
//!
//! | feature | brings |
//! | --- | --- |
//! | `redis` (default) | [`RedisCache`], [`TieredCache`], [`from_env`] |
//! | `shared` | what stores of other crates need: `larder-sql` (PostgreSQL and SQLite), `larder-memcached`; no program needs it by itself |
//! | `moka` (default) | [`Store::Moka`]: a memory cache whose entries moka keeps |
//! | `tls` | TLS to Redis, by rustls with ring |
//! | `postcard` | [`codec::Postcard`]: the fewest bytes |
//! | `bincode` | [`codec::Bincode`] |
//! | `zstd` | [`Compression::Zstd`] |
//! | `seal` | [`RedisCacheBuilder`]`::seal` and `hash_keys`: a Redis that can neither read nor change values, nor read keys |
//! | `disk` | [`MemoryCacheBuilder`]`::disk`: entries in a folder, which a process that begins anew finds |
//! | `inspect` | [`CacheExt::keys`] lists what lies in Redis |
//! | `metrics`, `opentelemetry` | `larder::metrics`, `larder::opentelemetry`: the caches' figures, for exporters |
//! | `limit` | [`limit`]: rate limits, in this process or for all through Redis, and [`#[limited]`](macro@limited) |
//! | `counters` | [`counters`]: counters in shards and windows, and what comes most often |
//! | `events` | [`events`]: publish and subscribe, at most once and at least once, and invalidate by what happens |
//! | `write-behind` | `larder::write_behind`: writes that are acknowledged at once, and reach the database in batches |
//! | `test-util` | turning a cache's clock forward (`Core::advance`), and the contract that any [`Cache`] can be run through (`larder::contract`), and installed caches for each test (`larder::testing`) |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "shared")]
mod abandoned_request;
mod adaptive;
mod alarm;
#[cfg(any(feature = "shared", feature = "events", feature = "write-behind"))]
mod backoff;
mod block_on;
mod cache;
mod cache_core;
mod cache_events;
mod cache_padded;
mod clock;
mod compute_turns;
#[cfg(feature = "test-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod contract;
#[cfg(feature = "counters")]
#[cfg_attr(docsrs, doc(cfg(feature = "counters")))]
pub mod counters;
mod deadline;
mod deferred;
mod dependencies;
#[cfg(feature = "disk")]
mod disk;
mod drop_later;
mod entry;
#[cfg(feature = "redis")]
mod environment;
mod epoch;
mod error;
#[cfg(feature = "shared")]
mod error_chain;
mod error_keeping;
mod error_sharing;
#[cfg(feature = "events")]
#[cfg_attr(docsrs, doc(cfg(feature = "events")))]
pub mod events;
#[cfg(feature = "shared")]
mod failure_count;
#[cfg(feature = "shared")]
mod followed_log;
mod front_cache;
#[cfg(feature = "limit")]
mod gcra;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "shared")]
mod heartbeat;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod instruments;
pub mod internal;
mod key;
#[cfg(feature = "limit")]
#[cfg_attr(docsrs, doc(cfg(feature = "limit")))]
pub mod limit;
mod link;
mod listing;
mod lock;
mod log_throttle;
mod memory;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
mod mutant;
mod namespace;
#[cfg(feature = "opentelemetry")]
#[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
pub mod opentelemetry;
mod option_probe;
mod outcome;
mod own_thread;
mod panic_guard;
mod policy;
#[doc(hidden)]
pub mod private;
mod read_through;
#[cfg(feature = "shared")]
mod recent_timeout;
#[cfg(feature = "redis")]
mod redis;
mod refresh_every;
#[cfg(feature = "shared")]
mod refusals;
mod registry;
mod retry_pauses;
#[cfg(feature = "shared")]
mod runtime_check;
mod scope;
#[cfg(feature = "seal")]
mod seal;
#[cfg(feature = "shared")]
mod shared_entries;
#[cfg(feature = "shared")]
mod shared_leases;
#[cfg(feature = "shared")]
mod shared_locks;
#[cfg(feature = "shared")]
mod shared_log;
mod singleflight;
mod spans;
mod stats;
mod sync;
mod table;
#[cfg(feature = "counters")]
mod tally;
#[cfg(any(test, feature = "test-util"))]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod testing;
#[cfg(feature = "redis")]
mod tiered;
mod typed;
#[cfg(feature = "shared")]
mod unshared_values;
mod value;
mod warm;
#[cfg(feature = "shared")]
mod wire;
mod with_policy;
#[cfg(feature = "write-behind")]
#[cfg_attr(docsrs, doc(cfg(feature = "write-behind")))]
pub mod write_behind;

pub use self::{
    cache::{
        Cache, EntryInfo, HeldLease, Invalidating, Invalidation, Kept, Lease, Leased, Listing, SharedStorage,
        Storage,
    },
    cache_core::{Core, CoreBuilder, Lookup},
    cache_events::CacheEvent,
    deferred::{Deferred, InDeferred, deferred},
    dependencies::{Context, InComputation, Previous, context, in_current_computation},
    entry::Entry,
    epoch::{Epoch, ReadVersion},
    error::{Error, Result, SharedError, TimedOut},
    link::{Link, Operation, Refusal, Rejection, Server, Unshared},
    lock::{HeldLock, LockGuard},
    memory::{
        MemoryCache,
        builder::{MemoryCacheBuilder, Store},
        tier::MemoryTier,
    },
    namespace::{Namespace, Version},
    outcome::{NotStored, Outcome, Source, StreamOutcome, Tier},
    policy::{Lock, Policy, builder::PolicyBuilder, into_policy::IntoPolicy},
    refresh_every::{Refreshing, refresh_every},
    registry::{global, install, install_as, install_policies, installed::Installed, named},
    scope::{Scope, ScopeHash, Scopes},
    stats::{CacheStats, FunctionStats, Histogram},
    table::Eviction,
    typed::{CacheExt, blocking::Blocking, cache_events::CacheEvents, keys::Keys, local::Local},
    value::{LocalValue, Value, ValueType},
    warm::{WarmOutput, Warmed, warm},
    with_policy::WithPolicy,
};

#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::{
    environment::from_env,
    redis::{RedisCache, RedisCacheBuilder, RedisInfo, RedisServerInfo, RedisWarning},
    tiered::TieredCache,
};

#[cfg(feature = "shared")]
#[cfg_attr(docsrs, doc(cfg(feature = "shared")))]
pub use self::{
    heartbeat::{Heartbeat, heartbeat},
    shared_log::disconnect_policy::DisconnectPolicy,
    wire::{
        Compression,
        codec::{self, Codec},
    },
};

#[cfg(feature = "seal")]
#[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
pub use self::seal::{Keyring, SealKey};
#[cfg(feature = "limit")]
#[cfg_attr(docsrs, doc(cfg(feature = "limit")))]
pub use larder_macros::limited;
pub use larder_macros::{cache_put, cached, cached_many, invalidate};

/// The first thing that is read compiles, and runs.
#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
