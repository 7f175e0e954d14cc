//! What one process invalidates is gone in the others. Two caches, each with a pool and a log of its own, are like two
//! processes.

use std::{sync::Arc, time::Duration};

use larder::{Cache, CacheExt, Invalidation, Scope};

use crate::places::{Place, eventually, gone, policy};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_invalidates_is_gone_in_the_other() {
    for place in Place::all() {
        let (a, b) = (place.tiered().await, place.tiered().await);
        for (round, scope) in
            [Scope::key("user:7"), Scope::prefix("user"), Scope::all()].into_iter().enumerate()
        {
            a.insert("user:7", &(round as u64), policy()).await.unwrap();
            let read = async || b.get::<u64>("user:7").await.unwrap() == Some(round as u64);
            eventually("a value is shared", read).await;
            let Invalidation::Delivered(epoch) = a.invalidate(scope).await else { panic!("it is delivered") };
            assert!(b.wait_for(epoch).await);
            assert_eq!(b.get::<u64>("user:7").await.unwrap(), None, "after its epoch is reached");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_before_is_not_accepted_after() {
    for place in Place::all() {
        let (a, b) = (place.plain().await, place.plain().await);
        let since = a.begin();
        let Invalidation::Delivered(epoch) = b.invalidate("k").await else { panic!("it is delivered") };
        // `a` may not have heard of it: others have, and refuse what it stores.
        _ = a.insert_since(since, "k", &1_u64, policy()).await;
        assert!(b.wait_for(epoch).await);
        assert_eq!(b.get::<u64>("k").await.unwrap(), None);
        assert!(a.wait_for(epoch).await);
        assert_eq!(a.get::<u64>("k").await.unwrap(), None);
    }
}

/// Epochs have to become visible in their order, whichever process appends.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_appears_below_one_that_was_read() {
    for place in Place::all() {
        let reader = place.tiered().await;
        let writers: Vec<_> = futures(&place).await;
        let tasks: Vec<_> = writers
            .into_iter()
            .enumerate()
            .map(|(writer, cache)| {
                let reader = reader.clone();
                tokio::spawn(async move {
                    for round in 0..40 {
                        let key = format!("w:{writer}:{round}");
                        reader.insert(&key, &1_u64, policy()).await.unwrap();
                        let invalidated = cache.invalidate(&key).await;
                        let Invalidation::Delivered(epoch) = invalidated else { panic!("{invalidated:?}") };
                        assert!(reader.wait_for(epoch).await);
                        let found = reader.get::<u64>(&key).await.unwrap();
                        assert_eq!(found, None, "{key} is past {epoch}");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let link = reader.link();
        assert_eq!((link.restarts, link.malformed), (0, 0), "{link:?}");
    }
}

async fn futures(place: &Place) -> Vec<Arc<dyn Cache>> {
    let mut caches = Vec::new();
    for _ in 0..4 {
        caches.push(place.plain().await.share());
    }
    caches
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_is_another_cache() {
    for place in Place::all() {
        let other = Place { prefix: format!("{}_other", place.prefix), ..place.clone() };
        let (a, b) = (place.tiered().await, other.tiered().await);
        a.insert("k", &1_u64, policy()).await.unwrap();
        assert_eq!(b.get::<u64>("k").await.unwrap(), None);
        b.invalidate(Scope::all()).await;
        assert_eq!(a.get::<u64>("k").await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_outlives_its_process_and_not_its_time() {
    for place in Place::all() {
        let first = place.plain().await;
        let long = "long:".to_owned() + &"x".repeat(5_000);
        for key in ["short", "a:\0binary", &long] {
            first.insert(key, &7_u64, policy()).await.unwrap();
        }
        let brief = larder::Policy::ttl(Duration::from_millis(300));
        first.insert("brief", &7_u64, brief).await.unwrap();
        assert!(first.flush(Duration::from_secs(10)).await);
        assert!(first.flush(Duration::MAX).await, "a long time, and no panic");
        drop(first);
        let second = place.plain().await;
        for key in ["short", "a:\0binary", &long] {
            let found = async || second.get::<u64>(key).await.unwrap() == Some(7);
            eventually("the log is read back", found).await;
        }
        gone(&second, "brief").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_those_of_all() {
    for place in Place::all() {
        let caches = [place.plain().await, place.plain().await];
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
    }
}
