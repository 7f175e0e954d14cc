//! Processes that are killed while they write: what begins anew finds nothing that was invalidated, and much of the rest.
//!
//! `LARDER_KILLS=100 cargo test -p larder --all-features --test disk kill` kills so many; without it, eight.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use larder::{Cache, CacheExt, Lock, MemoryCache, Policy, RedisCache, Scope, TieredCache};
use larder_servers::RedisServer;

use crate::{LONG, folder, get, support::long};

const KEYS: usize = 24;
const FOLDER: &str = "LARDER_DISK_TEST_FOLDER";
const BASE: &str = "LARDER_DISK_TEST_BASE";
const REDIS: &str = "LARDER_DISK_TEST_REDIS";

fn key(n: usize) -> String {
    format!("{}:{n}", n % 3)
}

/// No one waits for a process that was killed.
fn policy() -> Policy {
    Policy::builder().ttl(LONG).lock(Lock::Process).build().unwrap()
}

/// What the values are made of, and what changes it.
struct Source([AtomicU64; KEYS]);

/// Tells what it finds; and then changes the source, invalidates, and computes, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a process of its own, which the test below starts"]
async fn child() {
    let (folder, base) = (env::var(FOLDER).unwrap(), env::var(BASE).unwrap().parse::<u64>().unwrap());
    // Small, so that segments come and go.
    let memory = MemoryCache::builder().capacity(12).disk(folder).disk_capacity(1 << 20).build().unwrap();
    let cache: Arc<dyn Cache> = match env::var(REDIS) {
        Ok(url) => Arc::new(TieredCache::new(memory, RedisCache::connect(url).await.unwrap())),
        Err(_) => Arc::new(memory),
    };
    // With a log, what is older than the process can be judged a little later.
    for _ in 0..3 {
        for n in 0..KEYS {
            if let Some(value) = get(&cache, &key(n)).await {
                println!("found {n} {value}");
            }
        }
        if let Some(all) = cache.get::<Vec<u64>>("sum").await.unwrap() {
            all.iter().enumerate().for_each(|(n, value)| println!("sum {n} {value}"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("disk 0 {}", cache.stats().disk_hits);
    println!("begins 0 0");
    let source = Arc::new(Source(std::array::from_fn(|_| AtomicU64::new(base))));
    let versions = Arc::new(AtomicU64::new(base + 1));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (cache, source, versions) = (cache.clone(), source.clone(), versions.clone());
        tasks.spawn(async move {
            loop {
                // Each writer has keys of its own: a version is the one of its source.
                let n = fastrand::usize(..KEYS / 4) * 4 + task;
                let version = versions.fetch_add(1, SeqCst);
                source.0[n].store(version, SeqCst);
                match fastrand::u8(..4) {
                    0 => cache.insert(&key(n), &version, long()).await.unwrap(),
                    1 => drop(cache.invalidate(Scope::prefix(format!("{}", n % 3))).await),
                    _ => drop(cache.invalidate(key(n)).await),
                }
                println!("acked {n} {version}");
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..2_000))).await;
            }
        });
    }
    for _ in 0..4 {
        let (cache, source) = (cache.clone(), source.clone());
        tasks.spawn(async move {
            loop {
                let n = fastrand::usize(..KEYS);
                read(&cache, &source, n).await;
                if fastrand::u8(..8) == 0 {
                    let sum = async || {
                        let mut all = Vec::new();
                        for n in 0..3 {
                            all.push(read(&cache, &source, n).await);
                        }
                        Ok::<_, String>(all)
                    };
                    cache.get_or_compute("sum", policy(), sum).await.unwrap();
                }
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..300))).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn read(cache: &Arc<dyn Cache>, source: &Source, n: usize) -> u64 {
    let compute = async || {
        let value = source.0[n].load(SeqCst);
        tokio::task::yield_now().await;
        Ok::<_, String>(value)
    };
    cache.get_or_compute(&key(n), policy(), compute).await.unwrap()
}

/// What the processes told so far.
#[derive(Default)]
struct Told {
    /// Of each key, the newest version that an invalidation was acknowledged of.
    acknowledged: HashMap<usize, u64>,
    found: u64,
    sums: u64,
    changes: u64,
    from_disk: u64,
}

impl Told {
    /// Whether the process begins to write.
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<_> = line.split(' ').collect();
        let [what @ ("found" | "sum" | "acked" | "disk" | "begins"), n, version] = words[..] else {
            return false;
        };
        let (Ok(n), Ok(version)) = (n.parse::<usize>(), version.parse::<u64>()) else { return false };
        let newest = self.acknowledged.entry(n).or_default();
        match what {
            "begins" => return true,
            "disk" => self.from_disk += version,
            "acked" => {
                *newest = version.max(*newest);
                self.changes += 1;
            }
            _ => {
                assert!(version >= *newest, "{line}, and {newest} was acknowledged");
                if what == "sum" { self.sums += 1 } else { self.found += 1 }
            }
        }
        false
    }
}

/// Kills so many processes, and does something else while there is none.
fn kill(redis: Option<&str>, mut while_it_is_down: impl FnMut(u64, &mut Told)) {
    let kills: u64 = env::var("LARDER_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let folder = folder();
    let mut told = Told::default();
    for run in 0..=kills {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kills::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(BASE, (run * 1_000_000).to_string())
            .envs(redis.map(|url| (REDIS, url)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        while !told.note(&lines.next().expect("it begins")) {}
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..200)));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| _ = told.note(&line));
        while_it_is_down(run, &mut told);
    }
    let Told { changes, found, sums, from_disk, .. } = told;
    println!(
        "{kills} kills, {changes} changes; found {found} entries and {sums} values in others, {from_disk} on disk"
    );
    assert!(
        changes > kills && found > kills && from_disk > kills,
        "{changes} changes, {found} found, {from_disk} on disk"
    );
}

#[test]
fn what_was_invalidated_before_a_kill_is_not_found_after_it() {
    kill(None, |_, _| {});
}

/// By another process, over Redis.
#[test]
fn what_was_invalidated_after_a_kill_is_not_found_either() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = server.url().replace("127.0.0.1", "localhost");
    let other = runtime.block_on(RedisCache::connect(url)).unwrap();
    kill(Some(&server.url()), |run, told| {
        for _ in 0..4 {
            let n = fastrand::usize(..KEYS);
            runtime.block_on(other.invalidate(key(n)));
            told.note(&format!("acked {n} {}", (run + 1) * 1_000_000 - 1));
        }
    });
}
