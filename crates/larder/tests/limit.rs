//! Rate limits in one process.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use larder::{
    Cache, CacheExt, MemoryCache,
    limit::{DecidedBy, FailureMode, Limiter, Rate},
};

fn cache() -> MemoryCache {
    MemoryCache::new(10)
}

/// A thousand callers for a second and more: never more than the rate, and no less than 99 % of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_get_the_rate_and_no_more() {
    // As much as a machine that is busy with others keeps this test waiting.
    const BURST: usize = 300;
    let limiter = Limiter::new(cache(), Rate::per_second(1_000).burst(BURST as u32));
    let allowed = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let (limiter, allowed) = (limiter.clone(), allowed.clone());
            tokio::spawn(async move {
                while begun.elapsed() < Duration::from_millis(1_500) {
                    allowed.fetch_add(usize::from(limiter.check("key").await.is_allowed()), Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let (allowed, took) = (allowed.load(Relaxed), begun.elapsed());
    let most = BURST + usize::try_from(took.as_millis()).unwrap() + 1;
    assert!(allowed <= most, "{allowed} in {took:?}");
    assert!(allowed >= 1_500 * 99 / 100, "{allowed} in {took:?}");
}

#[tokio::test]
async fn time_gives_back_what_was_taken() {
    let cache = cache();
    let limiter = Limiter::new(cache.clone(), Rate::per_minute(3));
    for remaining in [2, 1, 0] {
        let decision = limiter.check("key").await;
        assert!(decision.is_allowed());
        assert_eq!((decision.remaining(), decision.limit()), (remaining, 3));
        assert_eq!(decision.retry_after(), None);
        assert_eq!(decision.decided_by(), DecidedBy::Process);
    }
    let refused = limiter.check("key").await;
    assert!(!refused.is_allowed());
    let wait = refused.retry_after().unwrap();
    assert!(wait <= Duration::from_secs(20) && wait > Duration::from_secs(10), "{wait:?}");
    assert_eq!(refused.more_after(), wait);
    assert!(refused.reset() > Duration::from_secs(50) && refused.reset() <= Duration::from_secs(60));
    assert!(limiter.check("other").await.is_allowed());
    cache.core().advance(wait);
    assert!(limiter.check("key").await.is_allowed(), "when it said");
    assert!(!limiter.check("key").await.is_allowed());
    cache.core().advance(Duration::from_secs(3_600));
    let decision = limiter.check("key").await;
    assert_eq!(decision.remaining(), 2, "no more than a burst is saved");
    let stats = cache.stats();
    assert_eq!((stats.limit_allowed, stats.limit_refused, stats.limit_failures), (6, 2, 0));
}

#[tokio::test]
async fn several_units_are_taken_together_or_not_at_all() {
    let limiter = Limiter::new(cache(), Rate::per_hour(10));
    assert!(limiter.check_units("key", 7).await.is_allowed());
    let refused = limiter.check_units("key", 4).await;
    assert_eq!((refused.is_allowed(), refused.remaining()), (false, 3));
    assert!(refused.retry_after().unwrap() <= Duration::from_secs(360));
    assert!(limiter.check_units("key", 3).await.is_allowed());
    assert!(limiter.check_units("key", 0).await.is_allowed());
    let never = limiter.check_units("key", 11).await;
    assert_eq!(never.retry_after(), Some(Duration::MAX));
    let text = never.admitted().unwrap_err().to_string();
    assert!(text.contains("10/h") && text.contains("larger"), "{text}");
}

#[tokio::test]
async fn limiters_of_one_rate_on_one_cache_are_one() {
    let cache = cache();
    let (one, same) =
        (Limiter::new(cache.clone(), Rate::per_hour(1)), Limiter::new(cache.clone(), Rate::per_hour(1)));
    assert!(one.check("key").await.is_allowed());
    assert!(!same.check("key").await.is_allowed());
    assert!(Limiter::new(cache.clone(), Rate::per_hour(2)).check("key").await.is_allowed(), "another rate");
    assert!(
        Limiter::new(cache.namespace("a"), Rate::per_hour(1)).check("key").await.is_allowed(),
        "another key"
    );
    assert!(!same.check("a:key").await.is_allowed(), "that one");
    assert!(
        Limiter::new(MemoryCache::new(1), Rate::per_hour(1)).check("key").await.is_allowed(),
        "another cache"
    );
}

/// Failure modes are of servers, and the off switch is of entries.
#[tokio::test]
async fn neither_a_failure_mode_nor_the_off_switch_opens_a_limit_in_memory() {
    let cache = cache();
    cache.disable();
    let limiter = Limiter::new(cache, Rate::per_hour(1)).failure_mode(FailureMode::Open);
    assert!(limiter.check("key").await.is_allowed());
    assert!(!limiter.check("key").await.is_allowed());
}

/// However many keys come: the memory is that of the table, and none gets back what it has used.
#[test]
fn a_flood_of_keys_takes_no_more_memory_than_it_may() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cache = cache();
    let limiter = Limiter::new(cache, Rate::per_hour(5)).max_keys(10_000);
    let mut limited = 0;
    let memory = allocation_counter::measure(|| {
        runtime.block_on(async {
            for flood in 0..300_000 {
                let _ = limiter.check(&format!("ip:{flood}")).await;
                if flood % 1_000 == 0 {
                    limited += usize::from(limiter.check("limited").await.is_allowed());
                }
            }
        });
    });
    assert!((1..=5).contains(&limited), "{limited} in much less than an hour");
    // 16 bytes and what the sets need, for twice as many keys.
    assert!(memory.bytes_current <= 10_000 * 2 * 20, "{} bytes", memory.bytes_current);
    assert!(memory.bytes_current >= 10_000 * 16, "{} bytes: is it measured?", memory.bytes_current);
}
