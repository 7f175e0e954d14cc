//! What one process invalidates is gone in the others. Two caches, each with connections and a queue of its own, are like two
//! processes.

use std::time::Duration;

use larder::{CacheExt, Invalidation, Policy, Scope};
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, eventually, policy, share};

fn tagged(tag: &str) -> Policy {
    Policy::builder().ttl(Duration::from_secs(600)).tag(tag).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_invalidates_is_gone_in_the_other_at_once() {
    let place = Place::shared();
    let (a, b) = (place.cache().await, place.cache().await);
    for (round, scope) in [Scope::key("user:7"), Scope::prefix("user"), Scope::tag("org:1"), Scope::all()]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let round = round as u64;
        eventually("a value is shared", async || {
            a.insert("user:7", &round, tagged("org:1")).await.unwrap();
            b.get::<u64>("user:7").await.unwrap() == Some(round)
        })
        .await;
        let done =
            if round.is_multiple_of(2) { a.invalidate(scope).await } else { a.mark_stale(scope).await };
        assert!(matches!(done, Invalidation::Delivered(_)), "{done:?}");
        assert_eq!(b.get::<u64>("user:7").await.unwrap(), None);
        assert_eq!(a.get::<u64>("user:7").await.unwrap(), None);
    }
    assert!(a.flush(Duration::from_secs(30)).await);
    assert!(a.flush(Duration::MAX).await, "a long time, and no panic");
    assert_eq!(a.link().waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_before_is_not_accepted_after() {
    let place = Place::shared();
    let (a, b) = (place.cache().await, place.cache().await);
    // With all generations there, what is computed is found by others at once.
    share(&a, &b, "other", 1).await;
    for (round, scope) in ["k:0", "k:*", "*"].into_iter().enumerate() {
        let key = &*format!("k:{round}");
        let stored = a
            .get_or_compute(key, policy(), async || {
                let done = b.invalidate(scope).await;
                assert!(matches!(done, Invalidation::Delivered(_)), "{done:?}");
                Ok::<_, String>(1_u64)
            })
            .await;
        assert_eq!(stored, Ok(1));
        for cache in [&a, &b] {
            assert_eq!(cache.get::<u64>(key).await.unwrap(), None, "after {scope:?}");
        }
        // The next one finds what it needs.
        let stored = a.get_or_compute(key, policy(), async || Ok::<_, String>(2_u64)).await;
        assert_eq!(stored, Ok(2));
        assert_eq!(b.get::<u64>(key).await.unwrap(), Some(2), "after {scope:?}");
    }
}

/// What others have invalidated since a value was read is not known here: only what is stored by its own computation proves it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_is_not_stored_after() {
    let place = Place::shared();
    let (a, b) = (place.cache().await, place.cache().await);
    let since = a.begin();
    b.invalidate("k").await;
    a.insert_since(since, "k", &1_u64, policy()).await.unwrap();
    assert_eq!(a.get::<u64>("k").await.unwrap(), None);
    // Within a computation, what is inserted is as old as that.
    let computed = a
        .get_or_compute("outer", policy(), async || {
            b.invalidate("inner").await;
            a.insert("inner", &1_u64, policy()).await.unwrap();
            Ok::<_, String>(1_u64)
        })
        .await;
    assert_eq!(computed, Ok(1));
    assert_eq!(b.get::<u64>("inner").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_made_from_another_one_goes_with_it() {
    let place = Place::shared();
    let (a, b) = (place.cache().await, place.cache().await);
    let compute = async |cache: &larder_memcached::MemcachedCache| {
        let both = cache.get_or_compute("page", policy(), async || {
            let part = cache.get_or_compute("part:1", tagged("t"), async || Ok::<_, String>(1_u64)).await?;
            Ok::<_, String>(part + 1)
        });
        both.await.unwrap()
    };
    for scope in [Scope::key("part:1"), Scope::tag("t"), Scope::prefix("part")] {
        eventually("it is shared", async || {
            compute(&a).await;
            b.get::<u64>("page").await.unwrap() == Some(2)
        })
        .await;
        b.invalidate(&scope).await;
        assert_eq!(a.get::<u64>("page").await.unwrap(), None, "after {scope:?}");
    }
}

/// A tag that no entry had so far costs one computation more, and no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_value_under_a_new_tag_is_kept() {
    let cache = Place::shared().cache().await;
    let mut computed = 0;
    for _ in 0..4 {
        let compute = async || {
            computed += 1;
            Ok::<_, String>(1_u64)
        };
        cache.get_or_compute("k", tagged("new"), compute).await.unwrap();
    }
    assert_eq!(computed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_is_another_cache() {
    let place = Place::shared();
    let (a, b) = (place.cache().await, Place::shared().cache().await);
    share(&a, &place.cache().await, "k", 1).await;
    assert_eq!(b.get::<u64>("k").await.unwrap(), None);
    b.invalidate(Scope::all()).await;
    assert_eq!(a.get::<u64>("k").await.unwrap(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_read_of_a_process_finds_what_is_there() {
    let place = Place::shared();
    let keys = ["k:1", "k:2", "k:3"];
    let a = place.cache().await;
    for key in keys {
        share(&a, &place.cache().await, key, 7).await;
    }
    assert_eq!(place.cache().await.get_many::<u64>(&keys).await.unwrap(), [Some(7); 3]);
    assert_eq!(place.cache().await.get::<u64>("k:2").await.unwrap(), Some(7));
    let lazily = place.builder().connect_lazily().unwrap();
    assert_eq!(lazily.get_many::<u64>(&keys).await.unwrap(), [Some(7); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_outlives_its_process_and_not_its_time() {
    let place = Place::shared();
    let long = "long:".to_owned() + &"x".repeat(5_000);
    let first = place.cache().await;
    for key in ["short", "a:\0binary", "a b\r\ndelete x", &long] {
        share(&first, &place.cache().await, key, 7).await;
    }
    let brief = Policy::ttl(Duration::from_millis(300));
    first.insert("brief", &7_u64, brief).await.unwrap();
    // Longer than memcached takes for a span of time.
    let years = Policy::ttl(Duration::from_secs(100 * 365 * 86_400));
    first.insert("years", &7_u64, years).await.unwrap();
    drop(first);
    let second = place.cache().await;
    for key in ["short", "a:\0binary", "a b\r\ndelete x", &long, "years"] {
        assert_eq!(second.get::<u64>(key).await.unwrap(), Some(7), "{key:?}");
    }
    eventually("it ends", async || second.get::<u64>("brief").await.unwrap().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_too_large_stays_here_for_a_while() {
    let place = Place::shared();
    let a = place.builder().unshared_for(Duration::from_millis(200)).connect().await.unwrap();
    let b = place.cache().await;
    let large: Vec<u8> = (0..3_000_000).map(|_| fastrand::u8(..)).collect();
    a.insert("large", &large, policy()).await.unwrap();
    assert!(b.get::<Vec<u8>>("large").await.unwrap().is_none());
    assert!(a.stats().shared_too_large > 0, "{:?}", a.stats());
    eventually("it is not kept for long", async || a.get::<Vec<u8>>("large").await.unwrap().is_none()).await;
    // A server takes less than this cache was told.
    let server = MemcachedServer::with(&["-I", "512k"]);
    let c = Place::on([&server]).cache().await;
    let medium: Vec<u8> = (0..450_000).map(|_| fastrand::u8(..)).collect();
    c.insert("medium", &medium, policy()).await.unwrap();
    assert!(c.get::<Vec<u8>>("medium").await.unwrap().is_none());
    assert_eq!(c.stats().shared_refused, 1, "{:?}", c.stats());
    share(&c, &c, "small", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_those_of_all() {
    let place = Place::shared();
    let caches = [place.cache().await, place.cache().await];
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let cache = caches[task % 2].clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    cache.increment("n", 1, None).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(caches[0].counter("n").await.unwrap(), 400);
    caches[1].invalidate("n").await;
    assert_eq!(caches[0].counter("n").await.unwrap(), 0);
    assert!(caches[0].try_lock("l", Duration::from_secs(1)).await.is_err());
}

/// What is delivered is settled, however much comes after it: until then no entry that it covers is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_under_constant_load_is_kept() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let place = Place { addresses: vec![proxy.address().to_string()], ..Place::on([&server]) };
    let cache = place.cache().await;
    // So slow that something waits at each moment, on a busy machine too.
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(100)));
    let load = async {
        loop {
            drop(cache.invalidate(&*format!("load:{}", fastrand::u8(..))));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let kept = eventually("a value is kept", async || {
        cache.invalidate("k").await;
        assert_eq!(cache.get_or_compute("k", policy(), async || Ok::<_, String>(1_u64)).await, Ok(1));
        cache.get::<u64>("k").await.unwrap() == Some(1)
    });
    tokio::select! {
        () = load => {}
        () = kept => {}
    }
}
