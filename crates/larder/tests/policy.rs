//! Which policies can be built, and what is taken for one.

use std::{
    borrow::Cow,
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use larder::{CacheExt, IntoPolicy, Lock, MemoryCache, Policy};

fn ttl() -> larder::PolicyBuilder {
    Policy::builder().ttl(Duration::from_secs(1))
}

#[test]
fn a_ttl_is_all_it_takes() {
    assert_eq!(ttl().build().unwrap(), Policy::ttl(Duration::from_secs(1)));
    assert!(Policy::builder().ttl(Duration::ZERO).build().is_ok());
}

#[test]
fn a_missing_ttl_is_refused() {
    let error = Policy::builder().jitter(0.1).build().unwrap_err();
    assert!(error.is_invalid_policy());
    assert_eq!(error.to_string(), "invalid policy: `ttl` is missing: set it, or `adaptive`");
}

#[test]
fn fractions_are_between_0_and_1() {
    for good in [0.0, -0.0, 0.5, 1.0] {
        assert!(ttl().jitter(good).refresh_ahead(good).build().is_ok());
    }
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = ttl().jitter(bad).build().unwrap_err();
        assert!(error.is_invalid_policy());
        assert!(error.to_string().contains("`jitter` is a fraction between 0 and 1"), "{error}");
        let error = ttl().refresh_ahead(bad).build().unwrap_err();
        assert!(error.is_invalid_policy());
        assert!(error.to_string().contains("`refresh_ahead` is a fraction between 0 and 1"), "{error}");
    }
}

#[test]
fn every_option_makes_a_difference() {
    let second = Duration::from_secs(1);
    let all = [
        ttl(),
        ttl().ttl(second * 2),
        ttl().jitter(0.1),
        ttl().stale_while_revalidate(second),
        ttl().stale_if_error(second),
        ttl().refresh_ahead(0.1),
        ttl().negative_ttl(second),
        ttl().timeout(second),
        ttl().tag("a"),
        ttl().tags(["a", "b"]),
        ttl().lock(Lock::Process),
        ttl().lock(Lock::Deployment),
        ttl().detached(),
    ]
    .map(|builder| builder.build().unwrap());
    for (index, policy) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == policy), Some(index));
    }
}

/// A `Duration` is a policy, and one that is owned, borrowed or shared is taken as it is.
#[tokio::test]
async fn each_verb_takes_a_policy_in_each_form() {
    static MINUTE: Policy = Policy::ttl(secs(60));
    static LAZY: LazyLock<Policy> = LazyLock::new(|| Policy::ttl(secs(60)));
    async fn keep(cache: &MemoryCache, key: &str, policy: impl IntoPolicy) {
        cache.insert(key, &1, policy).await.unwrap();
        let left = cache.remaining_ttl(key).await.unwrap().unwrap();
        assert!(left > secs(30) && left <= secs(60), "{key}: {left:?}");
    }
    let cache = MemoryCache::new(100);
    let shared = Arc::new(MINUTE.clone());
    keep(&cache, "owned", MINUTE.clone()).await;
    keep(&cache, "borrowed", &MINUTE).await;
    keep(&cache, "borrowed twice", &&MINUTE).await;
    keep(&cache, "lazy", &LAZY).await;
    keep(&cache, "shared", shared.clone()).await;
    keep(&cache, "shared and borrowed", &shared).await;
    keep(&cache, "boxed", Box::new(MINUTE.clone())).await;
    keep(&cache, "either", Cow::Borrowed(&MINUTE)).await;
    let task = cache.clone();
    tokio::spawn(async move { keep(&task, "a duration", secs(60)).await }).await.unwrap();

    let compute = async || Ok::<_, Infallible>(7);
    assert_eq!(cache.get_or_compute("computed", secs(60), compute).await, Ok(7));
    assert_eq!(cache.local().get_or_compute("here", secs(60), compute).await, Ok(7));
    assert_eq!(cache.blocking().get_or_compute("by a thread", secs(60), || Ok::<_, Infallible>(7)), Ok(7));
    assert_eq!(cache.get::<i32>("computed").await.unwrap(), Some(7));
    assert!(cache.touch::<i32>("computed", secs(600)).await.unwrap());
    assert!(cache.remaining_ttl("computed").await.unwrap() > Some(secs(60)));
    cache.insert("zero", &1, Duration::ZERO).await.unwrap();
    assert!(!cache.contains("zero").await.unwrap(), "zero is not stored, as ever");
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
