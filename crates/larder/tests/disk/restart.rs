//! What is found after a restart.

use std::{sync::Arc, time::Duration};

use larder::{Cache, CacheExt, Invalidation, Policy, Scope, Store, cached, contract};

use crate::{
    LONG, folder, get, on, open, snapshot,
    support::{Calls, Gate, in_time, long, secs},
    written,
};

#[tokio::test]
async fn a_process_finds_what_the_one_before_it_stored() {
    let folder = folder();
    for store in [Store::Table, Store::Moka] {
        let cache = on(&folder).store(store).build().unwrap();
        for n in 0..100_u64 {
            cache.insert(&format!("user:{n}"), &n, long()).await.unwrap();
        }
        cache.get_or_compute("computed", long(), async || Ok::<_, String>(7_u64)).await.unwrap();
        drop(cache);
        let cache = on(&folder).store(store).build().unwrap();
        assert_eq!(cache.entry_count(), 0);
        for n in 0..100 {
            assert_eq!(get(&cache, &format!("user:{n}")).await, Some(n));
            let key = format!("user:{n}");
            let computed = cache.get_or_compute(&key, long(), async || Err("computed"));
            assert_eq!(computed.await, Ok(n));
        }
        assert_eq!(get(&cache, "computed").await, Some(7));
        assert_eq!(get(&cache, "never").await, None);
        let stats = cache.stats();
        assert_eq!((stats.disk_hits, stats.computations), (101, 0), "and memory has them from then on");
        cache.invalidate(Scope::all()).await;
        drop(cache);
        assert_eq!(get(&on(&folder).store(store).build().unwrap(), "computed").await, None);
    }
}

/// Memory is small, the disk is not.
#[tokio::test]
async fn the_disk_has_what_memory_has_no_room_for() {
    let folder = folder();
    let cache = on(&folder).capacity(10).build().unwrap();
    let keys: Vec<_> = (0..200_u64).map(|n| format!("n:{n}")).collect();
    for (n, key) in (0_u64..).zip(&keys) {
        cache.insert(key, &n, long()).await.unwrap();
    }
    written(&cache, 200).await;
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    let found = cache.get_many::<u64>(&names).await.unwrap();
    assert_eq!(found, (0..200).map(Some).collect::<Vec<_>>());
    cache.invalidate("n:*").await;
    assert_eq!(cache.get_many::<u64>(&names).await.unwrap(), vec![None; 200]);
}

/// Each kind of invalidation, when it is acknowledged and the process killed at once.
#[tokio::test]
async fn what_was_invalidated_before_the_end_is_not_found() {
    let folder = folder();
    let cache = open(&folder);
    let tagged = Policy::builder().ttl(LONG).tag("org:7").build().unwrap();
    for key in ["a", "b:1", "b:2", "c", "soft", "kept", "replaced", "namespace:1"] {
        let policy = if key == "c" { tagged.clone() } else { long() };
        cache.insert(key, &1_u64, policy).await.unwrap();
    }
    let parent = cache.get_or_compute("parent", long(), async || {
        Ok::<_, larder::Error>(cache.get::<u64>("a").await?.unwrap_or_default() + 1)
    });
    assert_eq!(parent.await.unwrap(), 2);
    written(&cache, 9).await;
    let before = snapshot(&folder);
    assert!(matches!(cache.invalidate("a").await, Invalidation::Delivered(_)));
    cache.invalidate("b:*").await;
    cache.invalidate(Scope::tag("org:7")).await;
    cache.mark_stale("soft").await;
    cache.namespace("namespace").invalidate(Scope::all()).await;
    cache.insert("replaced", &2_u64, long()).await.unwrap();
    let killed = snapshot(&folder);
    let earlier = open(&before);
    for key in ["a", "b:1", "c", "soft", "kept", "replaced", "namespace:1"] {
        assert_eq!(get(&earlier, key).await, Some(1), "{key} was there");
    }
    let next = open(&killed);
    for key in ["a", "b:1", "b:2", "c", "soft", "namespace:1", "parent"] {
        assert_eq!(get(&next, key).await, None, "{key}");
    }
    assert_eq!(get(&next, "kept").await, Some(1));
    assert!([None, Some(2)].contains(&get(&next, "replaced").await));
    // And not at the start after that one.
    drop(next);
    let third = open(&killed);
    assert_eq!((get(&third, "a").await, get(&third, "kept").await), (None, Some(1)));
}

/// It began before, ended after, and is written last of all.
#[tokio::test(flavor = "multi_thread")]
async fn a_computation_that_began_before_an_invalidation_leaves_nothing() {
    let folder = folder();
    let cache = open(&folder);
    let gate = Gate::closed();
    let computing = tokio::spawn({
        let (cache, gate) = (cache.clone(), gate.clone());
        async move {
            let compute = async || {
                gate.pass().await;
                Ok::<_, String>(1_u64)
            };
            cache.get_or_compute("slow", long(), compute).await
        }
    });
    gate.until(1).await;
    cache.invalidate("slow").await;
    gate.open();
    assert_eq!(in_time(computing).await.unwrap(), Ok(1));
    cache.insert("other", &1_u64, long()).await.unwrap();
    written(&cache, 1).await;
    let copy = snapshot(&folder);
    let next = open(&copy);
    assert_eq!(get(&next, "slow").await, None);
    assert_eq!(get(&next, "other").await, Some(1));
}

/// What waits to be written is judged when it is written.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_before_it_is_written_leaves_nothing() {
    let folder = folder();
    let cache = open(&folder);
    let mut round = 0;
    while cache.stats().disk_skipped == 0 {
        assert!(round < 200, "none ever waited");
        let keys: Vec<_> = (0..500).map(|n| format!("n:{round}:{n}")).collect();
        for key in &keys {
            // Nothing waits for the disk here.
            cache.get_or_compute(key, long(), async || Ok::<_, String>(1_u64)).await.unwrap();
        }
        cache.invalidate("n:*").await;
        round += 1;
        written(&cache, round * 500).await;
        let copy = snapshot(&folder);
        let next = open(&copy);
        let names: Vec<_> = keys.iter().map(String::as_str).collect();
        assert_eq!(next.get_many::<u64>(&names).await.unwrap(), vec![None; 500]);
    }
}

#[tokio::test]
async fn what_was_found_is_invalidated_as_any_other() {
    let folder = folder();
    let cache = open(&folder);
    for n in 0..4_u64 {
        cache.insert(&format!("k:{n}"), &n, long()).await.unwrap();
    }
    drop(cache);
    let cache = open(&folder);
    assert_eq!(get(&cache, "k:0").await, Some(0));
    cache.invalidate("k:0").await;
    cache.invalidate("k:1").await;
    cache.core().invalidate(&[Scope::key("k:2")]);
    for n in 0..3 {
        assert_eq!(get(&cache, &format!("k:{n}")).await, None, "k:{n}");
    }
    assert_eq!(get(&cache, "k:3").await, Some(3));
    drop(cache);
    let cache = open(&folder);
    assert_eq!((get(&cache, "k:2").await, get(&cache, "k:3").await), (None, Some(3)));
}

#[tokio::test]
async fn its_time_goes_on_while_the_process_is_down() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("short", &1_u64, Policy::ttl(Duration::from_millis(200))).await.unwrap();
    let stale = Policy::builder().ttl(Duration::from_millis(200)).stale_if_error(secs(60)).build().unwrap();
    cache.insert("stale", &2_u64, &stale).await.unwrap();
    cache.insert("long", &3_u64, long()).await.unwrap();
    drop(cache);
    tokio::time::sleep(Duration::from_millis(250)).await;
    let cache = open(&folder);
    assert_eq!(get(&cache, "short").await, None);
    assert_eq!(get(&cache, "stale").await, None, "past its `ttl`");
    let failing = cache.get_or_compute("stale", &stale, async || Err::<u64, _>("down"));
    assert_eq!(failing.await, Ok(2));
    let left = cache.remaining_ttl("long").await.unwrap().unwrap();
    assert!(left < secs(3_600) - Duration::from_millis(240) && left > secs(3_500), "{left:?}");
}

#[tokio::test]
async fn a_value_of_another_type_is_computed_anew() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("k", &"text".to_owned(), long()).await.unwrap();
    cache.local().insert("local", &1_u64, long()).await.unwrap();
    drop(cache);
    let cache = open(&folder);
    assert_eq!(get(&cache, "k").await, None);
    assert_eq!(cache.stats().disk_rejected, 1);
    assert_eq!(get(&cache, "local").await, None, "it does not leave the process");
    assert_eq!(cache.get::<String>("k").await.unwrap().as_deref(), Some("text"));
}

#[tokio::test]
async fn cached_functions_find_their_values() {
    #[cached(ttl = 60, key = "length:<text>", cache = cache, skip(cache, calls))]
    async fn length(cache: &larder::MemoryCache, calls: &Calls, text: &str) -> usize {
        calls.call();
        text.len()
    }

    let (folder, calls) = (folder(), Calls::default());
    for _ in 0..3 {
        let cache = open(&folder);
        assert_eq!(length(&cache, &calls, "four").await, 4);
        assert!(cache.flush(LONG).await);
    }
    assert_eq!(calls.made(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    let folder = folder();
    let number = Arc::new(std::sync::atomic::AtomicU64::new(0));
    contract::check(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        on(&folder).disk(folder.path().join(number.to_string())).build().unwrap()
    })
    .await;
    // So small that nearly everything is read from the disk.
    contract::check(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        on(&folder).capacity(16).disk(folder.path().join(number.to_string())).build().unwrap()
    })
    .await;
}
