//! Write-behind: writes are acknowledged when they are safe, and reach the database in batches.
//!
//! ```
//! use std::time::Duration;
//! use larder::{CacheExt, MemoryCache, Policy, write_behind::{Batch, SinkError, WriteBehind}};
//!
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! # struct User { name: String }
//! # #[derive(Clone)]
//! # struct Db;
//! # impl Db { async fn upsert_all(&self, users: &[(&str, &User)]) -> std::io::Result<()> { Ok(()) } }
//! # #[tokio::main]
//! # async fn main() -> larder::Result<()> {
//! # let db = Db;
//! # let cache = MemoryCache::new(100);
//! let sink = move |batch: Batch<User>| {
//!     let db = db.clone();
//!     async move {
//!         let users: Vec<_> = batch.iter().map(|write| (write.key(), write.value())).collect();
//!         db.upsert_all(&users).await?; // one transaction
//!         Ok::<_, SinkError>(())
//!     }
//! };
//! let queue = WriteBehind::builder("users")
//!     .cache(&cache) // with Redis: `.tiered(&cache)`, which keeps the queue there
//!     .max_batch(500)
//!     .max_delay(Duration::from_millis(50))
//!     .start(sink)?;
//!
//! let policy = Policy::ttl(Duration::from_secs(300));
//! queue.write_cached("7", &User { name: "Ada".into() }, "user:7", &policy).await?;
//! assert!(cache.get::<User>("user:7").await?.is_some()); // shown at once
//!
//! queue.stop(Duration::from_secs(10)).await?; // before the program ends
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! 1. **Acknowledged is safe.** On Redis, `Ok` from [`write`](WriteBehind::write) says that the write is in a stream
//!    there: as durable as what that Redis acknowledges (with `appendfsync always`, on its disk; with `everysec`, a
//!    second of them can go with the machine; a failover can lose what was not replicated). No end of a process loses it,
//!    neither of the one that wrote nor of any that consumed. **In memory** the same API keeps writes in this process: a
//!    crash loses those that wait.
//! 2. **An error is no acknowledgement.** If Redis is away, slow, full or read-only, `write` fails within the cache's
//!    deadline, and says what to do. This is an exception to larder's rule that the state of Redis is never an error. A
//!    write that was not acknowledged may be in the queue all the same, if only the answer was lost, and then in another
//!    place than where a repetition of it stands.
//! 3. **At least once.** Each acknowledged write is given to the sink until the sink says that it is written, or
//!    until it is a dead letter. After a crash, a takeover, or a failed batch it may be given once more.
//! 4. **In order, per key.** The writes of a key reach the sink in the order in which they were acknowledged, whichever
//!    processes wrote and consumed, and whatever replies of Redis are lost. One that fails holds up the later ones of its key,
//!    and no others, however many they are. What is given once
//!    more begins with the oldest that was not settled, so that the row ends where it would have. A dead letter is passed
//!    over by the later ones.
//! 5. **The cache shows what was written at once**, to all processes that share it, if the write was made with
//!    [`write_cached`](WriteBehind::write_cached): it is an insert by [the one rule](crate::guide::one_rule). When the
//!    write is committed, or given up, its key is invalidated before the write leaves the queue, so that no value that was
//!    computed from the old row in between outlives it anywhere. A key of which a later write waits is left to that
//!    one's commit. In the process that wrote, and has the cache in memory, there is no moment in which neither the old
//!    entry nor the new one is found. But while a write waits, a reader that does not find the entry computes from the old
//!    row, and that is shown until the commit: if it was evicted, or in another process that hears of the write and asks
//!    before the new entry has reached Redis.
//! 6. **Bounded.** No more than [`max_waiting`](WriteBehindBuilder::max_waiting) writes lie in the queue, dead letters included;
//!    then writers wait, or are refused with an error that names the fix, as [`WhenFull`] says. While the database
//!    is away nothing is given up. A consumer has four batches of them in memory, or 1,000, and beside these what failing
//!    keys hold up. A Redis without room (`maxmemory`, and nothing that it may evict) refuses new writes, and is drained all
//!    the same.
//!
//! A test kills processes that write and consume (SIGKILL, three at a time, and Redis after each fifth of them). 100 kills on a machine
//! with twenty busy processes beside them: 40,211 acknowledged writes of 412 keys, none lost, and each key's in their order
//! (`LARDER_KILLS=100 cargo test -p larder-tests --test kills -- --nocapture`).
//!
//! Not promised: that Redis does not see what is written. The writes of a queue are not sealed (feature `seal`), and on a cache
//! that seals a queue is refused, unless [`in_clear`](WriteBehindBuilder) says that this is meant. Nor is it promised
//! that a sink which is broken off has stopped before *another process* goes on (in its own process nothing is given to the sink
//! until it has). One that was cut off from Redis, or paused (SIGSTOP, a
//! suspended machine), in the middle of its transaction may commit it when another process has taken over and gone on; so may
//! the database, whose client was dropped in the middle of a statement.
//! Where that matters, the sink keeps [`WriteId::number`] beside the row and leaves a row alone that has a greater one.
//!
//! # How it works
//!
//! One process at a time consumes a queue: the one that holds its lease in Redis, which it renews three times in
//! [`takeover_after`](WriteBehindBuilder::takeover_after). That is what keeps the order: so one queue is as fast as one
//! sink with large batches is. More queues (`orders-0` to `orders-7`, by a hash of the key) are consumed by several
//! processes. The next consumer claims what the one before was given and has not settled, by the server's clock alone, and
//! goes on from there. Every reading checks the lease in the same script, so that a process which has lost it takes
//! nothing. A server that steps in may lack the last that its master did. So every reading and every settlement looks
//! whether the server still takes for given what was settled: then the consumer takes over anew, and writes what it is given
//! again, in its order.
//!
//! A batch that fails is tried again, in halves, until the write that breaks it is alone; that one is tried by itself from
//! then on, with pauses that grow. It becomes a dead letter after as many failures as
//! [`attempts`](WriteBehindBuilder::attempts) says, counted only while others succeed. A sink that knows better says so
//! ([`SinkError::rejected`]). A write that ends the process (a stack that overflows, a process killed for its memory) fails
//! nothing: so what three consumers in a row were given and have not settled is written one by one, each counted in Redis
//! before it is given to the sink, and becomes a dead letter once the sink has not returned from it as often as
//! [`attempts`](WriteBehindBuilder::attempts) says. What is no write of the queue's type (another program's, another release's) becomes a dead
//! letter as it is. Values are MessagePack with field names, and serde's own rules decide what an older or newer type
//! reads: `#[serde(default)]` for fields that are new, and `deny_unknown_fields` where a consumer that is older than the
//! writer must set a write aside, rather than write it without what it does not know.
//!
//! # Dead letters
//!
//! [`dead_letters`](WriteBehind::dead_letters) shows them, [`replay`](WriteBehind::replay) appends them again,
//! [`discard`](WriteBehind::discard) deletes them. Each is said with an `error` event of `tracing`, and counted in
//! [`WriteBehindStats::dead`]. A replay moves each of them or leaves it where it is, also if Redis has no room.
//!
//! # What it costs
//!
//! | writes under way at once | acknowledged a second | to the sink, p50 / p99 | writes a batch |
//! | --- | --- | --- | --- |
//! | 1 | 4,700 | 27 / 52 ms | 260 |
//! | 16 | 22,000 | 21 / 47 ms | 498 |
//! | 256 | 26,000 | 410 / 720 ms | 498 |
//!
//! By `cargo test --release -p larder --no-default-features --features redis,write-behind,test-util --test write_behind speed --
//! --ignored --nocapture`, of numbers, with the default settings: writers, consumer and Redis 7.0 share two x86-64
//! cores.
//!
//! A write is one round trip and one script call, and so are up to 1,000 with [`write_many`](WriteBehind::write_many). A value is
//! encoded once and read back once, to be sure that it comes out as it went in. A consumer has one more connection, which blocks on the stream. Settling a batch
//! is one call, and two where it has cache keys. In Redis 7.0 a write takes its bytes and some 15 more while it waits, some
//! 130 more while a consumer has it, and none afterwards.
//!
//! Give the server a `maxmemory-policy` of `noeviction` or `volatile-*`: under `allkeys-*` it may evict a queue.

mod append;
mod backlog;
mod builder;
mod cache_update;
mod coalescing;
mod commit;
mod consumer;
mod consumer_lease;
mod dead_letters;
mod delivery;
mod handle;
mod id;
mod memory;
mod options;
mod queue_state;
#[cfg(feature = "redis")]
mod redis_store;
mod sink;
mod stats;
mod store;
mod write;

pub use self::{
    builder::WriteBehindBuilder,
    dead_letters::DeadLetter,
    handle::WriteBehind,
    id::WriteId,
    options::WhenFull,
    sink::{Sink, SinkError},
    stats::WriteBehindStats,
    store::QueueDepth,
    write::{Batch, Write},
};
