//! Functions without a `ttl` of their own: under the policy of their cache, or one that has a name.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, cache_put, cached, cached_many};
use larder_warnings::heard;

static CALLS: AtomicU64 = AtomicU64::new(0);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call() -> u64 {
    CALLS.fetch_add(1, Ordering::SeqCst) + 1
}

async fn left(cache: &impl CacheExt, key: &str) -> Option<u64> {
    // Rounded up: some milliseconds have passed.
    cache.remaining_ttl(key).await.unwrap().map(|left| (left + Duration::from_millis(999)).as_secs())
}

#[cached(key = "user:<id>", cache = cache, skip(cache))]
async fn user(cache: &dyn Cache, id: u64) -> u64 {
    call() + id - id
}

#[cached(key = "jittered:<id>", cache = cache, skip(cache), negative_ttl = 7)]
async fn perhaps(cache: &dyn Cache, id: u64) -> Option<u64> {
    (id > 0).then_some(id)
}

#[cached(key = "blocking:<id>", cache = cache, skip(cache))]
fn blocking(cache: &dyn Cache, id: u64) -> u64 {
    call() + id - id
}

#[cached_many(key = "many:<id>", each = id in ids, cache = cache, skip(cache))]
async fn many(cache: &dyn Cache, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Ok(ids.iter().map(|id| (*id, call())).collect())
}

#[cache_put(key = "user:<id>", cache = cache)]
async fn put(cache: &dyn Cache, id: u64) -> u64 {
    id
}

#[tokio::test]
async fn a_function_without_ttl_has_the_policy_of_its_cache() {
    let cache = MemoryCache::new(100);
    let with = cache.with_policy(Policy::ttl(secs(60)));
    let first = user(&with, 1).await;
    assert_eq!(user(&with, 1).await, first);
    assert_eq!(left(&cache, "user:1").await, Some(60), "it is the same cache");
    blocking(&with, 1);
    assert_eq!(left(&cache, "blocking:1").await, Some(60));
    many(&with, &[1, 2]).await.unwrap();
    assert_eq!(left(&cache, "many:2").await, Some(60));
    put(&with, 2).await;
    assert_eq!(left(&cache, "user:2").await, Some(60));

    // A namespace has that of its cache, or one of its own.
    user(&with.namespace("a"), 1).await;
    assert_eq!(left(&cache, "a:user:1").await, Some(60));
    user(&with.namespace("b").with_policy(Policy::ttl(secs(5))), 1).await;
    assert_eq!(left(&cache, "b:user:1").await, Some(5));
    user(&with.share(), 3).await;
    assert_eq!(left(&cache, "user:3").await, Some(60));
}

#[tokio::test]
async fn options_count_for_the_function() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().ttl(secs(60)).negative_ttl(secs(30)).tag("all").build().unwrap();
    let with = cache.with_policy(policy);
    perhaps(&with, 0).await;
    perhaps(&with, 1).await;
    assert_eq!(left(&cache, "jittered:0").await, Some(7));
    assert_eq!(left(&cache, "jittered:1").await, Some(60));
    drop(cache.invalidate(larder::Scope::tag("all")));
    assert_eq!(left(&cache, "jittered:1").await, None);
}

#[cached(key = "failing:<id>", cache = cache, skip(cache))]
async fn failing(cache: &dyn Cache, id: u64) -> Result<u64, String> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Err(format!("{id} failed in call {}", call()))
}

/// They ask for something of the function, which only its own options show that it has: an error that can be kept, or one that
/// says that time is over.
#[tokio::test]
async fn what_only_a_function_can_ask_for_is_not_the_policys_to_say() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().ttl(secs(60)).cache_err(secs(60)).deadline(Duration::from_millis(1));
    let with = cache.with_policy(policy.build().unwrap());
    let [first, second] = [failing(&with, 1).await.unwrap_err(), failing(&with, 1).await.unwrap_err()];
    assert_ne!(first, second);
    assert!(first.contains("failed in call"), "{first}");
    assert_eq!(cache.entry_count(), 0);
}

#[tokio::test]
async fn an_installed_cache_keeps_its_policy() {
    #[cached(key = "installed:<id>")]
    async fn installed(id: u64) -> u64 {
        call() + id - id
    }

    let _own = larder::testing::isolate();
    larder::install(MemoryCache::new(100).with_policy(Policy::ttl(secs(60)))).unwrap();
    assert_eq!(installed(1).await, installed(1).await);
    assert_eq!(left(larder::global(), "installed:1").await, Some(60));
}

#[cached(ttl = named("metrics"), key = "metric:<id>", cache = cache, skip(cache))]
async fn metric(cache: &MemoryCache, id: u64) -> u64 {
    call() + id - id
}

#[test]
fn what_has_no_policy_is_not_stored_and_said_once() {
    let reported = |text: &str| heard(&[text, "named_policies.rs:"]).len();
    assert_eq!(reported(""), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _own = larder::testing::isolate();
        let cache = MemoryCache::new(100);
        for _ in 0..3 {
            assert_ne!(user(&cache, 1).await, user(&cache, 1).await);
            assert_ne!(metric(&cache, 1).await, metric(&cache, 1).await);
        }
        assert_eq!(cache.entry_count(), 0);

        larder::install_policies([("metrics", Policy::ttl(secs(60))), ("others", Policy::ttl(secs(1)))]);
        assert_eq!(metric(&cache, 1).await, metric(&cache, 1).await);
        assert_eq!(left(&cache, "metric:1").await, Some(60));
        larder::install_policies([("metrics", Policy::ttl(secs(5)))]);
        metric(&cache, 1).await;
        metric(&cache, 2).await;
        assert_eq!((left(&cache, "metric:1").await, left(&cache, "metric:2").await), (Some(60), Some(5)));
    });
    assert_eq!(reported("its cache no policy"), 1);
    assert_eq!(reported("no policy has this name"), 1);
}
