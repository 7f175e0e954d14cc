//! Caches that are switched off in one process, while others go on.

use larder::CacheExt;
use larder_servers::RedisServer;
use larder_tests::caches::{Process, calls, eventually, long};

use super::{found, served};

#[tokio::test(flavor = "multi_thread")]
async fn its_invalidations_reach_others_and_theirs_reach_it() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    for key in ["kept", "changed here", "changed there"] {
        a.insert(key, &1_u64, long()).await.unwrap();
        eventually(async || found(&b, key).await == Some(1_u64)).await;
    }
    a.disable();
    a.invalidate("changed here").await;
    eventually(async || found::<u64>(&b, "changed here").await.is_none()).await;
    let last = b.invalidate("changed there").await;
    let larder::Invalidation::Delivered(last) = last else { panic!("it is delivered") };
    eventually(async || a.link().position >= last).await;

    a.enable();
    assert_eq!(found(&a, "kept").await, Some(1_u64), "from memory");
    for key in ["changed here", "changed there"] {
        assert_eq!(found::<u64>(&a, key).await, None, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_the_server_for_nothing_and_stores_nothing_there() {
    let server = RedisServer::start();
    let (bare, tiered) = (Process::A.bare(&server).await, Process::B.tiered(&server).await);
    bare.insert("there", &1_u64, long()).await.unwrap();
    bare.disable();
    tiered.disable();
    let entries = || -> u64 { server.command::<Vec<String>>(&["KEYS", "*:e:*"]).len() as u64 };
    let read = calls(&server, "get") + calls(&server, "mget");
    for number in 0..3_u64 {
        for (name, found) in
            [("bare", found::<u64>(&bare, "there").await), ("tiered", found(&tiered, "there").await)]
        {
            assert_eq!(found, None, "{name}");
        }
        let compute = async || Ok::<_, String>(number);
        assert_eq!(bare.get_or_compute("there", long(), compute).await, Ok(number));
        assert_eq!(tiered.get_or_compute("new", long(), compute).await, Ok(number));
        assert_eq!(bare.get_many::<u64>(&["there", "new"]).await.unwrap(), [None, None]);
        assert_eq!(bare.remaining_ttl("there").await.unwrap(), None);
    }
    assert_eq!(calls(&server, "get") + calls(&server, "mget"), read);
    assert_eq!(entries(), 1, "what was there before");
    bare.enable();
    tiered.enable();
    assert_eq!(
        (served(&bare, "there", &long()).await, found(&tiered, "there").await),
        (Some(1_u64), Some(1_u64))
    );
}
