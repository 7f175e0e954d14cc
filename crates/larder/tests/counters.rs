//! Counters: numbers, not entries.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use larder::{Cache, CacheExt, MemoryCache, Scope};

use self::support::{eventually, in_time, long, secs};

async fn count(cache: &impl Cache, key: &str) -> i64 {
    cache.counter(key).await.unwrap()
}

#[tokio::test]
async fn a_counter_starts_at_zero_and_goes_both_ways() {
    let cache = MemoryCache::new(10);
    assert_eq!(count(&cache, "c").await, 0);
    assert_eq!(cache.increment("c", 5, None).await.unwrap(), 5);
    assert_eq!(cache.increment("c", -7, None).await.unwrap(), -2);
    assert_eq!(cache.increment("c", 0, None).await.unwrap(), -2);
    assert_eq!(count(&cache, "c").await, -2);
}

#[tokio::test]
async fn its_window_begins_with_the_first_call() {
    let cache = MemoryCache::new(10);
    assert_eq!(cache.increment("c", 1, secs(60)).await.unwrap(), 1);
    cache.core().advance(secs(40));
    assert_eq!(cache.increment("c", 1, secs(60)).await.unwrap(), 2);
    cache.core().advance(secs(30));
    assert_eq!(count(&cache, "c").await, 0, "later calls do not prolong it");
    assert_eq!(cache.increment("c", 1, secs(60)).await.unwrap(), 1);
    cache.core().advance(secs(50));
    assert_eq!(count(&cache, "c").await, 1, "and the next one begins a new window");
}

#[tokio::test]
async fn without_a_window_it_stays() {
    let cache = MemoryCache::new(10);
    cache.increment("c", 1, None).await.unwrap();
    cache.increment("c", 1, secs(1)).await.unwrap();
    cache.core().advance(secs(1_000_000));
    assert_eq!(count(&cache, "c").await, 2);
    cache.increment("long", 1, Duration::MAX).await.unwrap();
    assert_eq!(count(&cache, "long").await, 1);
}

#[tokio::test]
async fn a_window_that_is_over_in_real_time_is_over() {
    let cache = MemoryCache::new(10);
    cache.increment("c", 5, Duration::from_millis(30)).await.unwrap();
    let start = std::time::Instant::now();
    loop {
        if count(&cache, "c").await == 0 {
            break;
        }
        assert!(start.elapsed() < secs(10));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(cache.increment("c", 1, Duration::from_millis(30)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_sum_out_of_range_is_an_error_and_changes_nothing() {
    let cache = MemoryCache::new(10);
    cache.increment("c", i64::MAX, None).await.unwrap();
    let error = cache.increment("c", 1, None).await.unwrap_err();
    assert!(error.is_counter_overflow(), "{error}");
    assert_eq!(count(&cache, "c").await, i64::MAX);
    assert_eq!(cache.increment("c", i64::MIN, None).await.unwrap(), -1);
    assert!(cache.increment("c", i64::MIN, None).await.unwrap_err().is_counter_overflow());
    assert_eq!(count(&cache, "c").await, -1);
}

#[tokio::test]
async fn it_lives_apart_from_entries_prefixes_and_tags() {
    let cache = MemoryCache::new(10);
    cache.insert("a:c", &"text".to_owned(), long()).await.unwrap();
    cache.increment("a:c", 3, None).await.unwrap();
    assert_eq!(cache.get::<String>("a:c").await.unwrap().as_deref(), Some("text"));
    cache.invalidate([Scope::prefix("a"), Scope::tag("a"), Scope::all()]);
    assert!(!cache.contains("a:c").await.unwrap());
    assert_eq!(count(&cache, "a:c").await, 3);
}

#[tokio::test]
async fn invalidating_its_key_deletes_it() {
    let cache = MemoryCache::new(10);
    cache.increment("a:c", 3, secs(60)).await.unwrap();
    cache.invalidate("a:c");
    assert_eq!(count(&cache, "a:c").await, 0);
    let inside = cache.namespace("a");
    assert_eq!(inside.increment("c", 1, None).await.unwrap(), 1);
    assert_eq!((count(&cache, "a:c").await, count(&cache, "c").await), (1, 0));
    inside.invalidate("c");
    assert_eq!(count(&inside, "c").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_lost() {
    let cache = MemoryCache::new(10);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                for _ in 0..1_000 {
                    cache.increment("c", 1, secs(60)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        in_time(task).await.unwrap();
    }
    assert_eq!(count(&cache, "c").await, 8_000);
}

#[tokio::test]
async fn they_are_bounded() {
    let cache = MemoryCache::new(100);
    for n in 0..10_000 {
        cache.increment(&format!("c{n}"), 1, None).await.unwrap();
    }
    // What is dropped is dropped soon, not at once.
    let mut kept = usize::MAX;
    for _ in 0..100 {
        kept = 0;
        for n in 0..10_000 {
            kept += usize::try_from(count(&cache, &format!("c{n}")).await).unwrap();
        }
        if kept <= 100 {
            break;
        }
    }
    assert!(kept <= 100, "{kept} are kept");
    eventually(|| cache.entry_count() == 0).await;
}
