//! Invalidations a second of keys that another process changes: what they cost those who read.

use std::{
    fs,
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, RedisCache, TieredCache};
use larder_benches::{IDS, keys, policy, zipf};
use larder_servers::RedisServer;
use tokio::runtime::{Builder, Runtime};

use crate::{follower::Invalidator, usage};

const SECONDS: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "it is what this is for")]
#[expect(clippy::cast_precision_loss, reason = "what is measured is not as exact")]
pub(crate) fn measure(server: &RedisServer) {
    println!(
        "\n| invalidations a second | records that came, a second | a hit, ns | served from memory | the log's thread, µs a record |"
    );
    println!("| --: | --: | --: | --: | --: |");
    for rate in [0, 100, 1_000, 10_000] {
        let (runtime, of_log) = runtime();
        let _entered = runtime.enter();
        let cache = runtime.block_on(RedisCache::connect(&server.url())).expect("the server is there");
        let cache = TieredCache::new(MemoryCache::new(2 * IDS), cache);
        let keys = keys();
        for (id, key) in (0_u64..).zip(&keys) {
            runtime.block_on(cache.insert(key, &id, policy())).expect("the key is short");
        }
        let invalidators = Invalidator::start_several(&server.url(), rate);
        thread::sleep(Duration::from_millis(500));
        let mix = zipf(IDS, 0.99, 100_000);
        let records = cache.link().records;
        let (log_before, before, begun) = (of_log(), usage::of_thread(), Instant::now());
        let (mut reads, mut found) = (0, 0);
        while begun.elapsed() < SECONDS {
            for &id in mix.iter().take(10_000) {
                found += u64::from(is_in_memory(&cache, &keys[usize::try_from(id).expect("there are few")]));
                reads += 1;
            }
        }
        let took = begun.elapsed();
        let hit = usage::per(usage::of_thread() - before, reads);
        let came = cache.link().records - records;
        let log = usage::per(of_log() - log_before, came.max(1)) / 1e3;
        drop(invalidators);
        let (share, rate_seen) = (found as f64 / reads as f64, came as f64 / took.as_secs_f64());
        println!("| {rate} | {rate_seen:.0} | {hit:.0} | {:.2} % | {log:.1} |", share * 100.0);
    }
}

/// Whether a value is there without a wait. What is not is asked of the server, for a later read.
fn is_in_memory(cache: &TieredCache, key: &str) -> bool {
    let found = pin!(cache.get::<u64>(key)).poll(&mut Context::from_waker(Waker::noop()));
    matches!(found, Poll::Ready(Ok(Some(_))))
}

/// A runtime whose only thread is the one that reads the log, and that thread's CPU time.
fn runtime() -> (Runtime, impl Fn() -> Duration) {
    let thread = Arc::new(OnceLock::<PathBuf>::new());
    let told = thread.clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || {
            let here = fs::read_link("/proc/thread-self").expect("this is Linux");
            drop(told.set(PathBuf::from("/proc").join(here)));
        })
        .build()
        .expect("a runtime can be made");
    let cpu = move || thread.get().map_or(Duration::ZERO, |thread| usage::in_schedule(thread));
    (runtime, cpu)
}
