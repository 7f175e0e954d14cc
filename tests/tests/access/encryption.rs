//! Connections by TLS.

use larder::RedisCache;
use larder_servers::{Ability, RedisCluster, RedisSentinel, RedisServer, lacks};
use larder_tests::caches::calls;

use crate::world::{PASSWORD, admit, as_user, commands, connect, everything, spelled, two};

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().tls().password(PASSWORD).start();
    let authority = server.certificates().expect("it has some").authority().to_owned();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    let builder = |index| {
        RedisCache::builder()
            .url(format!("rediss://{}", spelled(&server, index)))
            .tls_roots(authority.clone())
    };
    let (a, b) = two(builder).await;
    everything(&a, &b, async || server.flush_all()).await;

    // A server without a certificate that is trusted is not talked to, and none in the clear.
    let stranger = larder_servers::Certificates::make().authority().to_owned();
    let url = format!("rediss://{}", spelled(&server, 0));
    let error = connect(as_user(RedisCache::builder().url(&url)).tls_roots(stranger)).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let plain = url.replace("rediss", "redis");
    let error = connect(as_user(RedisCache::builder().url(plain))).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(!error.to_string().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_with_a_certificate_of_our_own() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().mutual_tls().start();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    let certificates = server.certificates().expect("it has some");
    let builder = |index| {
        RedisCache::builder()
            .url(format!("rediss://{}", spelled(&server, index)))
            .tls_roots(certificates.authority())
    };
    let own = certificates.client();
    let (a, b) = two(|index| builder(index).tls_client_certificate(&*own.certificate, own.key.clone())).await;
    everything(&a, &b, async || server.flush_all()).await;

    // Without one, or with that of another authority, the server does not talk.
    let strangers = larder_servers::Certificates::make();
    let theirs = strangers.client();
    for builder in [builder(0), builder(0).tls_client_certificate(&*theirs.certificate, theirs.key.clone())] {
        let error = connect(as_user(builder)).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
    }
}

/// Also of what is said to the nodes that a node names.
#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls_on_a_cluster() {
    if lacks(Ability::Tls) {
        return;
    }
    let cluster = RedisCluster::start_with_tls();
    let commands: Vec<_> = commands().chain(["cluster|slots", "cluster|info", "asking"]).collect();
    cluster.servers().iter().for_each(|server| admit(server, Some("larder:*"), &commands));
    let authority = cluster.server(0).certificates().expect("it has some").authority();
    let builder = |index| {
        let nodes = cluster.servers().iter().map(|server| spelled(server, index));
        RedisCache::builder().cluster(nodes).tls().tls_roots(authority)
    };
    let (a, b) = two(builder).await;
    let log = cluster.master_of(cluster.slot_of("larder:log"));
    everything(&a, &b, async || _ = cluster.server(log).delete("larder:log")).await;
    assert!(cluster.servers().iter().filter(|server| calls(server, "evalsha") > 0).count() > 1);
}

/// Also of what is said to the sentinels.
#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls_with_sentinels() {
    if lacks(Ability::Tls) {
        return;
    }
    let sentinel = RedisSentinel::start_with_tls();
    sentinel
        .servers()
        .iter()
        .for_each(|server| admit(server, Some("larder:*"), &commands().collect::<Vec<_>>()));
    let authority = sentinel.servers()[0].certificates().expect("it has some").authority();
    let nodes: Vec<_> = (0..2)
        .map(|index| sentinel.sentinels().iter().map(|server| spelled(server, index)).collect::<Vec<_>>())
        .collect();
    let (a, b) = two(|index| {
        RedisCache::builder().sentinel(nodes[index].clone(), "larder").tls().tls_roots(authority)
    })
    .await;
    let master = sentinel.master();
    everything(&a, &b, async || _ = sentinel.servers()[master].delete("larder:log")).await;
}
