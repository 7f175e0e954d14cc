//! Values whose `Drop` uses the cache that they lie in, on every way out of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;
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

/// What a thread drops when it ends, before and after larder's own.
struct AtTheEnd(Option<MemoryCache>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let Some(cache) = self.0.take() else { return };
        let compute = || ready(cache.get_or_compute("missed", long(), async || Ok::<_, ()>(7_u32)));
        assert_eq!(compute(), Ok(7));
        assert_eq!(compute(), Ok(7));
        drop(cache.invalidate("missed"));
        let blocking = cache.blocking();
        assert_eq!(blocking.get_or_compute("missed", long(), || Ok::<_, ()>(8_u32)), Ok(8));
    }
}

thread_local! {
    static FIRST: std::cell::RefCell<AtTheEnd> = const { std::cell::RefCell::new(AtTheEnd(None)) };
    static LAST: std::cell::RefCell<AtTheEnd> = const { std::cell::RefCell::new(AtTheEnd(None)) };
}

/// A panic in there ends the process.
#[test]
fn at_the_end_of_a_thread() {
    let caches = [MemoryCache::new(10), MemoryCache::new(10)];
    let [first, last] = caches.clone();
    let thread = thread::spawn(move || {
        FIRST.set(AtTheEnd(Some(first.clone())));
        ready(first.get_or_compute("other", long(), async || Ok::<_, ()>(1_u32))).unwrap();
        LAST.set(AtTheEnd(Some(last)));
    });
    thread.join().unwrap();
    for cache in &caches {
        assert_eq!(ready(cache.get::<u32>("missed")).unwrap(), Some(8));
    }
}

/// A waker whose `Drop` uses a cache.
struct Wakes(MemoryCache);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Wakes {
    fn drop(&mut self) {
        let mut asks = pin!(self.0.get_or_compute("noisy", long(), async || Ok::<_, ()>(9_u32)));
        let _ = asks.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(self.0.invalidate("unknown"));
    }
}

/// Runs `run`, and fails if it does not come back.
fn with_a_waker(run: impl FnOnce(&MemoryCache, Waker) + Send + 'static) {
    let (done, told) = mpsc::channel();
    let cache = MemoryCache::new(10);
    let thread = thread::spawn(move || {
        run(&cache, Waker::from(Arc::new(Wakes(cache.clone()))));
        done.send(()).unwrap();
    });
    match told.recv_timeout(DEADLINE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn the_waker_of_a_computation_that_was_dropped() {
    with_a_waker(|cache, waker| {
        let computing = || std::future::pending::<Result<u32, ()>>();
        let mut leader = Box::pin(cache.get_or_compute("noisy", long(), computing));
        assert!(leader.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let mut waiter = pin!(cache.get_or_compute("noisy", long(), async || Ok::<_, ()>(1_u32)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiter.as_mut().poll(&mut context).is_pending());
        drop(leader);
        assert!(waiter.as_mut().poll(&mut context).is_ready());
    });
}

#[test]
fn the_waker_of_a_reader_of_events() {
    with_a_waker(|cache, waker| {
        let mut events = pin!(cache.events());
        assert!(events.as_mut().poll_next(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let _ = events.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    });
}

#[cfg(feature = "events")]
mod broadcast {
    use std::sync::OnceLock;

    use larder::events::{Event, Events};

    use super::*;

    static EVENTS: OnceLock<Events> = OnceLock::new();

    /// An event that is answered by another one when it is gone.
    #[derive(Clone, Serialize, Deserialize)]
    struct Echoes(bool);

    impl Event for Echoes {
        const NAME: &'static str = "echoes";
    }

    impl Drop for Echoes {
        fn drop(&mut self) {
            if let (true, Some(events)) = (self.0, EVENTS.get()) {
                ready(events.broadcast(&Self(false))).unwrap();
            }
        }
    }

    /// Those that no one has read make room.
    #[test]
    fn events_that_broadcast() {
        with_a_waker(|cache, _waker| {
            let events = EVENTS.get_or_init(|| Events::local(cache));
            let mut reader = ready(events.subscribe::<Echoes>()).unwrap();
            let event = Echoes(true);
            (0..2_000).for_each(|_| ready(events.broadcast(&event)).unwrap());
            std::mem::forget(event);
            assert!(ready(reader.next()).is_some() && reader.missed() > 0);
        });
    }
}
