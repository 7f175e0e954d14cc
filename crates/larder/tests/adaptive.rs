//! `ttl = adaptive(…)`: lifetimes that are chosen for each key.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, cached, testing};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

static COMPUTED: AtomicU64 = AtomicU64::new(0);

#[cached(ttl = adaptive(10..="1h"), key = "slow:<id>", shared_key)]
async fn slow(id: u64) -> u64 {
    COMPUTED.fetch_add(1, Relaxed);
    tokio::time::sleep(Duration::from_millis(30)).await;
    id
}

#[cached(ttl = adaptive(Duration::from_secs(10)..=Duration::from_secs(3_600)), key = "quick:<id>", jitter = 0.1)]
async fn quick(id: u64) -> u64 {
    id + COMPUTED.load(Relaxed)
}

async fn left(key: &str) -> Duration {
    larder::global().remaining_ttl(key).await.expect("the key is short").expect("it is kept")
}

/// Asks a second after each end.
async fn turn() {
    larder::global().core().advance(left("slow:1").await + secs(1));
    slow(1).await;
}

#[tokio::test]
async fn what_is_slow_and_never_changes_lives_longer_each_time() {
    let _own = testing::isolate();
    larder::install(MemoryCache::new(100)).unwrap();
    slow(1).await;
    let mut lifetimes = vec![left("slow:1").await.as_secs()];
    for _ in 0..8 {
        turn().await;
        slow(1).await;
        lifetimes.push(left("slow:1").await.as_secs());
    }
    let is_within = |range: std::ops::RangeInclusive<u64>, at: usize| range.contains(&lifetimes[at]);
    assert!(is_within(9..=10, 0) && is_within(38..=40, 1) && is_within(80..=160, 2), "{lifetimes:?}");
    assert!(lifetimes.is_sorted() && lifetimes.iter().all(|&lifetime| lifetime <= 3_600), "{lifetimes:?}");
    assert_eq!(larder::global().stats().computations, 9, "and hits compute nothing");
}

#[tokio::test]
async fn what_is_quick_lives_shortest() {
    let _own = testing::isolate();
    larder::install(MemoryCache::new(100)).unwrap();
    for _ in 0..5 {
        quick(1).await;
        let left = left("quick:1").await;
        assert!(left > secs(8) && left <= secs(10), "{left:?}");
        larder::global().core().advance(secs(11));
    }
}

/// One that decides about its own lifetime has that; so has a `None`, and what is inserted.
#[tokio::test]
async fn what_is_said_goes_before_what_is_chosen() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().adaptive(secs(10)..=secs(3_600)).negative_ttl(secs(5)).build().unwrap();
    let own = async || {
        larder::context().ttl(secs(77));
        Ok::<_, std::convert::Infallible>(Some(1))
    };
    assert_eq!(cache.get_or_compute("own", &policy, own).await, Ok(Some(1)));
    assert!(cache.remaining_ttl("own").await.unwrap() > Some(secs(70)));
    let none = async || Ok::<_, std::convert::Infallible>(None::<u8>);
    assert_eq!(cache.get_or_compute("none", &policy, none).await, Ok(None));
    assert!(cache.remaining_ttl("none").await.unwrap() <= Some(secs(5)));
    cache.insert("inserted", &1, &policy).await.unwrap();
    assert!(cache.remaining_ttl("inserted").await.unwrap() <= Some(secs(10)));
}

#[test]
fn bounds_that_make_no_sense_are_errors() {
    let build =
        |bounds| Policy::builder().adaptive(bounds).build().map(drop).map_err(|error| error.to_string());
    assert!(build(secs(10)..=secs(5)).unwrap_err().contains("from a shortest time above zero to a longest"));
    assert!(build(secs(0)..=secs(5)).is_err());
    assert!(build(secs(5)..=secs(5)).is_ok());
    let idle = Policy::builder().adaptive(secs(1)..=secs(5)).idle(secs(1)).build().unwrap_err();
    assert!(idle.to_string().contains("`adaptive`"), "{idle}");
}

/// A `Serialize` that panics costs a value its longer lives, and no caller its answer.
#[tokio::test]
async fn a_value_that_cannot_be_serialized_lives_shortest() {
    #[derive(Clone, serde::Deserialize)]
    struct Panics;
    impl serde::Serialize for Panics {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("part of the test")
        }
    }
    let cache = MemoryCache::new(100);
    let policy = Policy::adaptive(secs(10)..=secs(3_600));
    for _ in 0..4 {
        let computed = async || Ok::<_, std::convert::Infallible>(Panics);
        assert!(cache.get_or_compute("a", &policy, computed).await.is_ok());
        assert!(cache.remaining_ttl("a").await.unwrap() <= Some(secs(10)));
        cache.core().advance(secs(11));
    }
    assert_eq!(cache.stats().computations, 4);
}

#[tokio::test]
async fn a_lifetime_may_be_as_long_as_can_be() {
    let cache = MemoryCache::new(100);
    let policy = Policy::adaptive(Duration::MAX..=Duration::MAX);
    for _ in 0..2 {
        let stored = cache.get_or_compute("a", policy.clone(), async || Ok::<_, String>(1_u64));
        assert_eq!(stored.await, Ok(1));
    }
    assert_eq!(cache.stats().computations, 1);
}
