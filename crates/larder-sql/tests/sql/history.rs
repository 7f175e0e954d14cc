//! Many readers and writers on several caches, with connections that are cut and logs that are lost: no read is older than
//! an invalidation that its process had heard of, or had made itself, when the read began.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, Epoch, Invalidation, Scope};
use larder_sql::TieredSqlCache;

use crate::places::{Place, policy};

const KEYS: usize = 6;
const PROCESSES: usize = 3;

/// What is cached, and what is known of it.
#[derive(Default)]
struct World {
    /// The source of truth: the version of each key.
    source: [AtomicU64; KEYS],
    /// The last version of each key whose invalidation was delivered, and its epoch.
    delivered: [Mutex<(u64, Epoch)>; KEYS],
    ends: AtomicBool,
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    queued: AtomicU64,
    violations: Mutex<Vec<String>>,
}

fn name(key: usize) -> String {
    format!("g{}:{key}", key % 2)
}

impl World {
    async fn write(self: Arc<Self>, cache: TieredSqlCache) {
        while !self.ends.load(SeqCst) {
            let key = fastrand::usize(..KEYS);
            let version = self.source[key].fetch_add(1, SeqCst) + 1;
            let scope = match fastrand::u8(..8) {
                0 => Scope::prefix(format!("g{}", key % 2)),
                _ => Scope::key(name(key)),
            };
            let invalidated = cache.invalidate(scope).await;
            self.writes.fetch_add(1, SeqCst);
            match invalidated {
                Invalidation::Delivered(epoch) => {
                    let mut delivered = self.delivered[key].lock().unwrap();
                    if version > delivered.0 {
                        *delivered = (version, epoch);
                    }
                }
                Invalidation::Queued => _ = self.queued.fetch_add(1, SeqCst),
            }
            // Its own process, at once.
            let found = self.look(&cache, key).await;
            self.check(found, version, || format!("own write of {}", name(key)));
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..5_000))).await;
        }
    }

    async fn read(self: Arc<Self>, cache: TieredSqlCache) {
        while !self.ends.load(SeqCst) {
            let key = fastrand::usize(..KEYS);
            let (version, epoch) = *self.delivered[key].lock().unwrap();
            if cache.wait_for(epoch).await {
                let found = self.look(&cache, key).await;
                self.check(found, version, || format!("read of {} after {epoch}", name(key)));
            }
            tokio::task::yield_now().await;
        }
    }

    async fn look(&self, cache: &TieredSqlCache, key: usize) -> u64 {
        let computed = AtomicBool::new(false);
        let computation = async || {
            computed.store(true, SeqCst);
            let version = self.source[key].load(SeqCst);
            // Long enough for others to change it before it is stored.
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
            Ok::<_, std::convert::Infallible>(version)
        };
        let Ok(found) = cache.get_or_compute(&name(key), policy(), computation).await;
        self.reads.fetch_add(1, SeqCst);
        if !computed.load(SeqCst) {
            self.hits.fetch_add(1, SeqCst);
        }
        found
    }

    fn check(&self, found: u64, at_least: u64, what: impl FnOnce() -> String) {
        if found < at_least {
            self.violations.lock().unwrap().push(format!("{}: {found}, and not {at_least}", what()));
        }
    }
}

/// Trouble from outside.
async fn harm(world: Arc<World>, place: Place) {
    for round in 0.. {
        tokio::time::sleep(Duration::from_millis(400)).await;
        if world.ends.load(SeqCst) {
            return;
        }
        match round % 3 {
            0 if !place.is_sqlite() => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE pid <> pg_backend_pid() AND application_name = 'larder {}' AND random() < 0.5";
                place.execute(cut).await;
            }
            1 => place.execute("DELETE FROM {}_entries").await,
            2 => place.execute("DELETE FROM {}_head; DELETE FROM {}_log").await,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_older_than_what_was_heard_of() {
    let seconds = std::env::var("LARDER_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(4.0);
    for place in Place::all() {
        let world = Arc::new(World::default());
        let mut tasks = Vec::new();
        for _ in 0..PROCESSES {
            let cache = place.tiered().await;
            tasks.push(tokio::spawn(world.clone().write(cache.clone())));
            tasks.extend((0..2).map(|_| tokio::spawn(world.clone().read(cache.clone()))));
        }
        tasks.push(tokio::spawn(harm(world.clone(), place.clone())));
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < seconds {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.ends.store(true, SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
        let [reads, hits, writes, queued] =
            [&world.reads, &world.hits, &world.writes, &world.queued].map(|count| count.load(SeqCst));
        let violations = world.violations.lock().unwrap().clone();
        println!(
            "{}: {reads} reads, {hits} of them hits, {writes} writes, {queued} queued, {} violations",
            place.url.split(':').next().unwrap_or_default(),
            violations.len()
        );
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        assert!(hits > 20 && writes > 20, "there was something to look at: {hits} hits, {writes} writes");
    }
}
