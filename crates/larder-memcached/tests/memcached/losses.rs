//! What memcached drops, forgets or cannot do: entries, generations, the counter, everything.

use std::sync::Arc;

use larder::{CacheExt, Scope};
use larder_servers::MemcachedServer;

use crate::nodes::{Place, bulk, eventually, generation, policy, share};

/// Whatever of it is lost, and whenever: what was invalidated does not come back, and caching goes on.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_is_a_miss() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let (a, b) = (place.cache().await, place.cache().await);
    let losses = [
        format!("delete {}", generation(&place, &Scope::key("k:1"))),
        format!("delete {}", generation(&place, &Scope::prefix("k"))),
        format!("delete {}", generation(&place, &Scope::all())),
        format!("delete {}:n", place.prefix),
        format!("delete {}:e:k:1", place.prefix),
        "flush_all".to_owned(),
        format!("set {}:n 0 0 1\r\n-", place.prefix),
    ];
    for (round, loss) in losses.iter().enumerate() {
        let round = round as u64;
        share(&a, &b, "k:1", round).await;
        server.tell(loss);
        let found = b.get::<u64>("k:1").await.unwrap();
        let counter_only = loss.contains(":n");
        assert_eq!(found, counter_only.then_some(round), "after {loss:?}");
        b.invalidate("k:1").await;
        for cache in [&a, &b] {
            assert_eq!(cache.get::<u64>("k:1").await.unwrap(), None, "after {loss:?}");
        }
        if loss.starts_with("set") {
            // What another program put there is not counted with.
            server.tell(&format!("delete {}:n", place.prefix));
        }
    }
    share(&a, &b, "k:1", 100).await;
}

/// The counter begins anew with numbers that cannot be compared with those before: neither what was stored by the old ones is
/// valid by new generations, nor the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_counter_makes_nothing_valid() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let (a, b) = (place.cache().await, place.cache().await);
    for round in 0..30_u64 {
        share(&a, &b, "k", round).await;
        // A computation begins, the counter is lost, and the key invalidated and computed by others.
        let computed = a
            .get_or_compute("other", policy(), async || {
                server.tell(&format!("delete {}:n", place.prefix));
                b.invalidate(["k", "other"]).await;
                let newer = b.get_or_compute("k", policy(), async || Ok::<_, String>(1_000 + round)).await;
                assert_eq!(newer, Ok(1_000 + round));
                Ok::<_, String>(round)
            })
            .await;
        assert_eq!(computed, Ok(round));
        for cache in [&a, &b] {
            assert_eq!(cache.get::<u64>("other").await.unwrap(), None, "it began before");
            let found = cache.get::<u64>("k").await.unwrap();
            assert!(found.is_none_or(|found| found == 1_000 + round), "{found:?} in round {round}");
        }
        a.invalidate("other").await;
    }
}

/// A server that starts anew gives the same `cas` again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_an_empty_one() {
    let server = Arc::new(MemcachedServer::start());
    let place = Place::on([&*server]);
    let (a, b) = (place.cache().await, place.cache().await);
    for round in 0..3_u64 {
        share(&a, &b, "k", round).await;
        server.kill();
        server.restart();
        eventually("it is asked again", async || {
            assert_eq!(b.get::<u64>("k").await.unwrap(), None, "nothing is left");
            b.link().servers[0].available && a.link().servers[0].available
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_cas_nothing_is_cached() {
    let server = MemcachedServer::with(&["-C"]);
    let cache = Place::on([&server]).cache().await;
    for _ in 0..3 {
        cache.insert("k", &1_u64, policy()).await.unwrap();
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
        let computed = cache.get_or_compute("k", policy(), async || Ok::<_, String>(2_u64)).await;
        assert_eq!(computed, Ok(2));
    }
    assert!(cache.increment("n", 1, None).await.is_ok(), "nothing is there to be compared with");
    assert!(cache.increment("n", 1, None).await.is_err());
}

/// A server with a mebibyte drops what is in use least, generations and the counter among it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_drops_and_goes_on() {
    let server = MemcachedServer::with(&["-m", "1", "-I", "512k"]);
    let place = Place::on([&server]);
    let (a, b) = (place.cache().await, place.cache().await);
    let mut hits = 0;
    for round in 0..400_u64 {
        let key = format!("k:{}", round % 7);
        let filler: Vec<_> = (0..10).map(|_| (format!("f:{}", fastrand::u64(..)), bulk(3_000))).collect();
        a.insert_many(&filler, policy()).await.unwrap();
        a.insert(&key, &round, policy()).await.unwrap();
        let found = b.get::<u64>(&key).await.unwrap();
        assert!(found.is_none_or(|found| found == round), "{found:?} in round {round}");
        hits += u32::from(found.is_some());
        b.invalidate(&*key).await;
        assert_eq!(a.get::<u64>(&key).await.unwrap(), None);
    }
    assert!(hits > 0, "nothing was ever kept");
    assert!(server.statistic("evictions") > 0);
}
