//! Many readers and writers on several caches, with nodes that drop what they have, hang, restart and are flushed: no read is
//! older than an invalidation that was delivered, by whichever process, or that its own process had made, when the read began.
//!
//! `LARDER_SOAK=SECONDS` has it run for longer.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, Policy, Scope};
use larder_memcached::MemcachedCache;
use larder_servers::MemcachedServer;

use crate::nodes::{Place, bulk, policy};

const KEYS: usize = 6;
const PROCESSES: usize = 3;

/// The versions of the sources that a value is made from.
type Versions = Vec<(usize, u64)>;

/// One process, with what it has invalidated itself.
struct Process {
    cache: MemcachedCache,
    called: [AtomicU64; KEYS],
    /// A call that joins another one of its process is answered as of that one's beginning: here none does.
    turns: [tokio::sync::Mutex<()>; 2 * KEYS],
}

struct World {
    processes: Vec<Process>,
    /// The source of truth: the version of each key.
    source: [AtomicU64; KEYS],
    /// The last version of each key whose invalidation was delivered.
    delivered: [AtomicU64; KEYS],
    ends: AtomicBool,
    counts: [AtomicU64; 4],
    /// What was dropped by servers that were killed since.
    evicted: AtomicU64,
    violations: Mutex<Vec<String>>,
}

const READS: usize = 0;
const HITS: usize = 1;
const WRITES: usize = 2;
const QUEUED: usize = 3;

fn leaf(key: usize) -> String {
    format!("g{}:{key}", key % 2)
}

fn tagged(key: usize) -> Policy {
    Policy::builder().ttl(Duration::from_secs(600)).tag(format!("t{key}")).build().unwrap()
}

impl World {
    fn count(&self, what: usize) {
        self.counts[what].fetch_add(1, SeqCst);
    }

    async fn write(self: Arc<Self>, process: usize) {
        let own = &self.processes[process];
        while !self.ends.load(SeqCst) {
            let key = fastrand::usize(..KEYS);
            let version = self.source[key].fetch_add(1, SeqCst) + 1;
            let scope = match fastrand::u8(..16) {
                0 => Scope::prefix(format!("g{}", key % 2)),
                1 => Scope::tag(format!("t{key}")),
                2 => Scope::all(),
                _ => Scope::key(leaf(key)),
            };
            let invalidating = own.cache.invalidate(scope);
            own.called[key].fetch_max(version, SeqCst);
            match fastrand::u8(..10) {
                0 => drop(invalidating),
                _ => match invalidating.await {
                    Invalidation::Delivered(_) => _ = self.delivered[key].fetch_max(version, SeqCst),
                    Invalidation::Queued => self.count(QUEUED),
                },
            }
            self.count(WRITES);
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..15_000))).await;
        }
    }

    async fn read(self: Arc<Self>, process: usize) {
        let own = &self.processes[process];
        while !self.ends.load(SeqCst) {
            let key = fastrand::usize(..KEYS);
            let floor = |key: usize| self.delivered[key].load(SeqCst).max(own.called[key].load(SeqCst));
            let floors: Vec<_> = (0..KEYS).map(floor).collect();
            let begun = Instant::now();
            let (name, pair) = (leaf(key), format!("pair:{key}"));
            let found = match fastrand::u8(..5) {
                0 => own.cache.get::<Versions>(&name).await.unwrap(),
                1 => own.cache.get::<Versions>(&pair).await.unwrap(),
                2 => {
                    own.cache.get_many::<Versions>(&[name, pair]).await.unwrap().into_iter().flatten().next()
                }
                3 => self.pair(process, key).await,
                _ => self.leaf(process, key).await,
            };
            self.count(READS);
            for (of, version) in found.into_iter().flatten() {
                self.count(HITS);
                if version < floors[of] {
                    let text = format!(
                        "process {process} read version {version} of {of} after {} ({:?} ago)",
                        floors[of],
                        begun.elapsed()
                    );
                    self.violations.lock().unwrap().push(text);
                }
            }
        }
    }

    async fn leaf(&self, process: usize, key: usize) -> Option<Versions> {
        let own = &self.processes[process];
        let _turn = own.turns[key].lock().await;
        let compute = async || {
            let version = self.source[key].load(SeqCst);
            if fastrand::u8(..4) == 0 {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(..4))).await;
            }
            Ok::<_, String>(vec![(key, version)])
        };
        own.cache.get_or_compute(&leaf(key), tagged(key), compute).await.ok()
    }

    /// A value that is made from two others.
    async fn pair(&self, process: usize, key: usize) -> Option<Versions> {
        let own = &self.processes[process];
        let _turn = own.turns[KEYS + key].lock().await;
        let compute = async || {
            let mut both = self.leaf(process, key).await.unwrap_or_default();
            both.extend(self.leaf(process, (key + 1) % KEYS).await.unwrap_or_default());
            Ok::<_, String>(both)
        };
        own.cache.get_or_compute(&format!("pair:{key}"), policy(), compute).await.ok()
    }
}

/// What happens to nodes.
fn disturb(servers: &[MemcachedServer], place: &Place, world: &World) {
    while !world.ends.load(SeqCst) {
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..120)));
        let server = &servers[fastrand::usize(..servers.len())];
        match fastrand::u8(..8) {
            0 => {
                world.evicted.fetch_add(server.statistic("evictions"), SeqCst);
                server.kill();
                std::thread::sleep(Duration::from_millis(fastrand::u64(..60)));
                server.restart();
            }
            1 => {
                server.pause();
                std::thread::sleep(Duration::from_millis(fastrand::u64(..150)));
                server.resume();
            }
            2 => _ = server.tell("flush_all"),
            // What was flushed before, and not asked for since, comes back.
            5 => _ = server.tell("flush_all 3600"),
            // Other programs take the room.
            3 | 4 => {
                for _ in 0..60 {
                    let data = bulk(20_000);
                    server.tell(&format!("set filler{} 0 0 {}\r\n{data}", fastrand::u16(..), data.len()));
                }
            }
            // Most often on a node that has it not.
            _ => _ = server.tell(&format!("delete {}:n", place.prefix)),
        }
    }
}

/// Drops what it has after some hundred values.
fn small() -> MemcachedServer {
    MemcachedServer::with(&["-m", "1", "-I", "512k"])
}

async fn run(servers: &[MemcachedServer]) {
    let place = Place::on(servers);
    let process = || Process {
        cache: place.builder().deadline(Duration::from_millis(100)).connect_lazily().unwrap(),
        called: Default::default(),
        turns: Default::default(),
    };
    let world = Arc::new(World {
        processes: (0..PROCESSES).map(|_| process()).collect(),
        source: Default::default(),
        delivered: Default::default(),
        ends: AtomicBool::new(false),
        counts: Default::default(),
        evicted: AtomicU64::new(0),
        violations: Mutex::default(),
    });
    let mut tasks = Vec::new();
    for process in 0..PROCESSES {
        tasks.push(tokio::spawn(world.clone().write(process)));
        tasks.extend((0..3).map(|_| tokio::spawn(world.clone().read(process))));
    }
    let seconds = std::env::var("LARDER_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(4);
    std::thread::scope(|scope| {
        let disturbing = scope.spawn(|| disturb(servers, &place, &world));
        std::thread::sleep(Duration::from_secs(seconds));
        world.ends.store(true, SeqCst);
        disturbing.join().unwrap();
    });
    for task in tasks {
        task.await.unwrap();
    }
    let [reads, hits, writes, queued] =
        [READS, HITS, WRITES, QUEUED].map(|what| world.counts[what].load(SeqCst));
    let shared: u64 = world.processes.iter().map(|process| process.cache.stats().shared_hits).sum();
    let evicted: u64 = servers.iter().map(|server| server.statistic("evictions")).sum();
    let evicted = evicted + world.evicted.load(SeqCst);
    let report = format!(
        "{reads} reads, {hits} versions seen, {shared} shared hits, {writes} writes, {queued} queued, {evicted} evicted"
    );
    println!("{report}");
    let violations = world.violations.lock().unwrap();
    assert!(
        violations.is_empty(),
        "{} violations, of {report}: {:#?}",
        violations.len(),
        &violations[..violations.len().min(5)]
    );
    assert!(writes > 10 && shared > 0, "too little happened: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_stale_on_nodes_that_lose_things() {
    run(&[small(), MemcachedServer::start()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_stale_on_one_node() {
    run(&[small()]).await;
}
