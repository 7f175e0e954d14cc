//! What other processes invalidate while an insert is under way.

use std::time::{Duration, Instant};

use larder::{CacheExt, Invalidation, Policy, Scope};
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, eventually, generation, policy, share};

/// Waits until something has a generation, or is about to have one. No test fails by that: where an insert leaves nothing
/// there, it shows in what is served.
async fn begins(server: &MemcachedServer, name: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while !server.tell(&format!("get {name}")).starts_with("VALUE") && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// From the moment on at which it has reached the node: in each of its round trips.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_while_an_insert_is_under_way_is_not_served() {
    let (server, direct) = (MemcachedServer::start(), Place::on([]));
    let proxy = Proxy::start(server.address());
    let at = |address: String| Place { addresses: vec![address], prefix: direct.prefix.clone() };
    let (near, far) = (at(server.address().to_string()), at(proxy.address().to_string()));
    let (a, b, c) = (far.cache().await, near.cache().await, near.cache().await);
    let tagged = Policy::builder().ttl(Duration::from_secs(600)).tag("t").build().unwrap();
    for scope in [Scope::key("k:1"), Scope::prefix("k"), Scope::tag("t"), Scope::all()] {
        for wait in [0, 15, 30, 45] {
            eventually("what is inserted is shared", async || {
                a.insert("k:1", &0_u64, tagged.clone()).await.unwrap();
                b.get::<u64>("k:1").await.unwrap() == Some(0)
            })
            .await;
            // So that it can be seen on the server when the insert has reached it.
            for scope in [Scope::key("k:1"), scope.clone()] {
                assert!(matches!(b.invalidate(scope).await, Invalidation::Delivered(_)));
            }
            proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(15)));
            let inserting = tokio::spawn({
                let (a, tagged) = (a.clone(), tagged.clone());
                async move { a.insert("k:1", &1_u64, tagged).await }
            });
            begins(&server, &generation(&near, &Scope::key("k:1"))).await;
            begins(&server, &generation(&near, &scope)).await;
            tokio::time::sleep(Duration::from_millis(wait)).await;
            assert!(matches!(b.invalidate(&scope).await, Invalidation::Delivered(_)));
            inserting.await.unwrap().unwrap();
            proxy.heal();
            for cache in [&a, &b, &c] {
                let found = cache.get::<u64>("k:1").await.unwrap();
                assert_eq!(
                    found, None,
                    "{scope:?} was invalidated {wait} ms after the insert had reached the node"
                );
            }
        }
    }
}

/// The number that proves it is its own: not one that another call of its process has seen in the meantime.
#[tokio::test(flavor = "multi_thread")]
async fn other_calls_of_the_process_prove_no_insert() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let near = Place::on([&server]);
    let far = Place { addresses: vec![proxy.address().to_string()], prefix: near.prefix.clone() };
    let (a, b) = (far.cache().await, near.cache().await);
    for round in 0..3_u64 {
        share(&a, &b, "k", round).await;
        b.invalidate("k").await;
        proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(15)));
        let inserting = tokio::spawn({
            let a = a.clone();
            async move { a.insert("k", &100_u64, policy()).await }
        });
        begins(&server, &generation(&near, &Scope::key("k"))).await;
        assert!(matches!(b.invalidate("k").await, Invalidation::Delivered(_)));
        let newer = b.get_or_compute("k", policy(), async || Ok::<_, String>(200 + round)).await;
        assert_eq!(newer, Ok(200 + round));
        let other =
            a.get_or_compute(&format!("other:{round}"), policy(), async || Ok::<_, String>(1_u64)).await;
        assert_eq!(other, Ok(1));
        inserting.await.unwrap().unwrap();
        proxy.heal();
        let found = b.get::<u64>("k").await.unwrap();
        assert!(found.is_none_or(|found| found == 200 + round), "{found:?}");
    }
}

/// What is invalidated while an insert is on its way to the node. Where its own process does it, that counts from the call
/// on. What another one has delivered before the insert has reached the node does not: nothing there tells of it any more. What
/// it says next does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_before_an_insert_has_reached_the_node() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let near = Place::on([&server]);
    let far = Place { addresses: vec![proxy.address().to_string()], prefix: near.prefix.clone() };
    let (a, b) = (far.cache().await, near.cache().await);
    for own in [true, false] {
        share(&a, &b, "k", 1).await;
        proxy.set(Direction::ToServer, Fault::Delay(Duration::from_millis(60)));
        // It is called when it is polled first, which is before the invalidation.
        let mut inserting = std::pin::pin!(a.insert("k", &2_u64, policy()));
        assert!(futures_util::poll!(inserting.as_mut()).is_pending());
        let invalidated = match own {
            true => a.invalidate("k"),
            false => b.invalidate("k"),
        };
        assert!(matches!(invalidated.await, Invalidation::Delivered(_)));
        inserting.await.unwrap();
        proxy.heal();
        let expected = if own { None } else { Some(2) };
        for cache in [&a, &b] {
            assert_eq!(cache.get::<u64>("k").await.unwrap(), expected, "invalidated by itself: {own}");
        }
        assert!(matches!(b.invalidate("k").await, Invalidation::Delivered(_)));
        for cache in [&a, &b] {
            assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
        }
    }
}
