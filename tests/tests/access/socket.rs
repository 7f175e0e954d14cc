//! Connections by a Unix socket.

use std::convert::Infallible;

use larder::{CacheExt, Invalidation, RedisCache};
use larder_servers::RedisServer;
use larder_tests::caches::{eventually, long};

use crate::world::{admit, commands, everything, two};

#[tokio::test(flavor = "multi_thread")]
async fn everything_through_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis sock");
    let server = RedisServer::builder().config("unixsocket", &format!("\"{}\"", socket.display())).start();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    // Spelled in two ways, as by two processes.
    let path = |index: usize| directory.path().join(["redis sock", "./redis sock"][index]);
    let url = |index| format!("redis+unix://{}", path(index).display().to_string().replace(' ', "%20"));
    let (a, b) = two(|index| RedisCache::builder().url(url(index))).await;
    everything(&a, &b, async || server.flush_all()).await;

    server.kill();
    eventually(async || a.invalidate("key").await == Invalidation::Queued).await;
    assert_eq!(a.get_or_compute("gone", long(), async || Ok::<_, Infallible>(9_u64)).await, Ok(9));
    server.restart(larder_servers::Data::Lost);
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    eventually(async || {
        a.insert("again", &3_u64, long()).await.unwrap();
        b.get("again").await.unwrap() == Some(3_u64)
    })
    .await;
}
