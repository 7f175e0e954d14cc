//! Values whose `Drop` uses the cache that they lie in, on every way out of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy, Store};
use serde::{Deserialize, Serialize};

/// Longer than anything here takes, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// The cache of each test, which the values of that test use when they are dropped.
static CACHES: [Mutex<Option<MemoryCache>>; 8] = [const { Mutex::new(None) }; 8];

static DROPPED: [AtomicUsize; 8] = [const { AtomicUsize::new(0) }; 8];

#[derive(Clone, Serialize, Deserialize)]
struct Noisy(usize);

impl Drop for Noisy {
    fn drop(&mut self) {
        let number = DROPPED[self.0].fetch_add(1, Ordering::SeqCst);
        let Some(cache) = CACHES[self.0].lock().unwrap().clone() else { return };
        let _ = ready(cache.get::<u32>("other"));
        std::mem::forget(ready(cache.get::<Self>("noisy:0")));
        ready(cache.insert(&format!("other:{}", number % 10), &1_u32, long())).unwrap();
        drop(cache.invalidate("other:3"));
        drop(cache.invalidate("unknown:*"));
        assert!(self.0 != 0 || number != 5, "a value may panic too");
    }
}

fn long() -> Policy {
    Policy::ttl(Duration::from_secs(3_600))
}

/// Nothing in memory is waited for.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn put(cache: &MemoryCache, test: usize, key: &str, ttl: Duration) {
    let policy = Policy::ttl(ttl);
    // Moved into the cache, so that the only one who drops it is the cache.
    let computed = ready(cache.get_or_compute(key, policy, async || Ok::<_, ()>(Noisy(test))));
    std::mem::forget(computed);
}

fn dropped(test: usize) -> usize {
    DROPPED[test].load(Ordering::SeqCst)
}

/// Runs `run` with the cache of a test, and fails if it does not come back.
fn in_time(test: usize, cache: MemoryCache, run: impl FnOnce(&MemoryCache) + Send + 'static) {
    let (done, told) = mpsc::channel();
    *CACHES[test].lock().unwrap() = Some(cache.clone());
    let thread = thread::spawn(move || {
        run(&cache);
        done.send(()).unwrap();
    });
    match told.recv_timeout(DEADLINE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap(),
    }
    // Not under that lock: the last values are dropped with their cache.
    let last = CACHES[test].lock().unwrap().take();
    drop(last);
}

/// Until so many were dropped, by calls that have nothing to do with them.
fn until_dropped(cache: &MemoryCache, test: usize, count: usize) {
    let begun = Instant::now();
    while dropped(test) < count {
        assert!(begun.elapsed() < DEADLINE / 2, "{} were dropped", dropped(test));
        let _ = ready(cache.insert("tick", &1_u32, long()));
        let _ = cache.entry_count();
    }
}

#[test]
fn evicted() {
    in_time(0, MemoryCache::new(8), |cache| {
        (0..200).for_each(|n| put(cache, 0, &format!("noisy:{n}"), DEADLINE));
        until_dropped(cache, 0, 190);
    });
}

#[test]
fn replaced() {
    in_time(1, MemoryCache::new(100), |cache| {
        for _ in 0..100 {
            let noisy = Noisy(1);
            ready(cache.insert("noisy:0", &noisy, long())).unwrap();
            std::mem::forget(noisy);
        }
        until_dropped(cache, 1, 95);
    });
}

#[test]
fn expired() {
    in_time(2, MemoryCache::new(100), |cache| {
        (0..20).for_each(|n| put(cache, 2, &format!("noisy:{n}"), Duration::from_millis(1)));
        until_dropped(cache, 2, 20);
    });
}

#[test]
fn invalidated() {
    in_time(3, MemoryCache::new(100), |cache| {
        for _ in 0..100 {
            put(cache, 3, "noisy:1", DEADLINE);
            drop(cache.invalidate("noisy:1"));
        }
        until_dropped(cache, 3, 95);
    });
}

/// Those that lie in front of the store drive out each other.
#[test]
fn driven_out_of_the_front_table() {
    let builder = MemoryCache::builder().store(Store::Moka).capacity(8).front_cache_slots(1);
    let cache = builder.build().unwrap();
    in_time(4, cache, |cache| {
        for n in 0..200 {
            let key = format!("noisy:{n}");
            put(cache, 4, &key, DEADLINE);
            (0..20).for_each(|_| std::mem::forget(ready(cache.get::<Noisy>(&key))));
        }
        until_dropped(cache, 4, 190);
    });
}

#[test]
fn with_the_whole_cache() {
    in_time(5, MemoryCache::new(1_000), |other| {
        let cache = MemoryCache::new(100);
        (0..50).for_each(|n| put(&cache, 5, &format!("noisy:{n}"), DEADLINE));
        drop(cache);
        until_dropped(other, 5, 50);
    });
}

/// From several threads at once.
#[test]
fn by_many() {
    in_time(6, MemoryCache::new(16), |cache| {
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for n in 0..500 {
                        let key = format!("noisy:{thread}:{}", n * 7 % 15);
                        put(cache, 6, &key, DEADLINE);
                        if n % 3 == 0 {
                            drop(cache.invalidate(&*key));
                        }
                    }
                });
            }
        });
        until_dropped(cache, 6, 500);
    });
}

/// A weigher is its author's code too.
#[test]
fn a_weigher_that_uses_its_cache() {
    let weigher = |_: &str, _: &larder::Entry| {
        if let Some(cache) = &*CACHES[7].lock().unwrap() {
            let _ = ready(cache.get::<u32>("other"));
            drop(cache.invalidate("unknown"));
        }
        1
    };
    let cache = MemoryCache::builder().capacity(8).weigher(weigher).build().unwrap();
    in_time(7, cache, |cache| {
        (0..100).for_each(|n| ready(cache.insert(&format!("key:{n}"), &n, long())).unwrap());
        assert!(cache.weighted_size() <= 8);
    });
}
