//! A scope for a transaction, over entries that lie in Redis.

use larder::{CacheExt, RedisCache, TieredCache, deferred, invalidate};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, long};

use super::found;

#[invalidate("row:<id>", cache = cache)]
async fn change(cache: &RedisCache, id: u64) {}

#[invalidate("row:<id>", cache = cache)]
async fn change_tiered(cache: &TieredCache, id: u64) {}

/// What a scope has invalidated is not read by it, and is read by all others until the commit.
#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_invalidated_is_not_read_from_redis() {
    let server = RedisServer::start();
    let (bare, tiered) = (Process::A.bare(&server).await, Process::B.tiered(&server).await);
    bare.insert("row:7", &1_u64, long()).await.unwrap();
    bare.insert("row:8", &1_u64, long()).await.unwrap();
    let (one, two) = (deferred(), deferred());
    one.run(async {
        change(&bare, 7).await;
        assert_eq!(found::<u64>(&bare, "row:7").await, None);
        assert_eq!(bare.get_many::<u64>(&["row:7", "row:8"]).await.unwrap(), [None, Some(1)]);
        assert_eq!(bare.remaining_ttl("row:7").await.unwrap(), None);
        let computed = bare.get_or_compute("row:7", long(), async || Ok::<_, String>(2_u64)).await;
        assert_eq!(computed, Ok(2));
    })
    .await;
    two.run(async {
        change_tiered(&tiered, 7).await;
        assert_eq!(found::<u64>(&tiered, "row:7").await, None);
        assert_eq!(found(&tiered, "row:8").await, Some(1_u64));
    })
    .await;
    assert_eq!(found(&bare, "row:7").await, Some(1_u64), "nothing is invalidated yet, and nothing stored");
    assert_eq!(found(&tiered, "row:7").await, Some(1_u64));
    two.rollback();
    assert_eq!(found(&tiered, "row:7").await, Some(1_u64));
    one.commit().await;
    assert_eq!(found::<u64>(&bare, "row:7").await, None);
}

/// A cache that is disabled keeps nothing, and its transactions invalidate all the same.
#[tokio::test(flavor = "multi_thread")]
async fn it_invalidates_though_its_cache_is_disabled() {
    let server = RedisServer::start();
    let cache = Process::A.bare(&server).await;
    cache.insert("row:7", &1_u64, long()).await.unwrap();
    cache.disable();
    let scope = deferred();
    scope.run(change(&cache, 7)).await;
    scope.commit().await;
    cache.enable();
    assert_eq!(found::<u64>(&cache, "row:7").await, None);
}
