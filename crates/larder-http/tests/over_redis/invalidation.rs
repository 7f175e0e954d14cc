//! What is changed through one node is gone on the other one.

use std::{
    convert::Infallible,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{
    Cache, CacheExt as _, Invalidation, Policy, RedisCache, RedisCacheBuilder, Scope, Scopes, cached,
    invalidate,
};
use larder_http::{HttpCache, page, pages_under};
use larder_servers::{RedisCluster, RedisSentinel, RedisServer};

use crate::{
    nodes::{Kind, Nodes, Tiers, counted, other_url, patient, patiently},
    support::{
        Handler, Said,
        client::{request, send},
        eventually, handler,
        servers::Framework,
    },
};

/// Waits until a node does not know a page any more. (Asking for it makes a new one.)
async fn goes(nodes: &Nodes, n: usize, path: &str, what: &str) {
    eventually(what, async || !nodes.get(n, path).await.is_hit()).await;
}

async fn is_hit_on_both<R>(nodes: &Nodes<R>, path: &str) {
    for n in [0, 1, 0, 1] {
        nodes.get(n, path).await;
    }
    for n in [0, 1] {
        assert!(nodes.get(n, path).await.is_hit(), "{path}, node {n}");
    }
}

/// A table of users that both nodes read through their caches.
#[derive(Default)]
struct Users {
    renamed: AtomicU64,
    asked: AtomicUsize,
}

impl Users {
    async fn text<R>(nodes: &Nodes<R>, n: usize, path: &str) -> String {
        nodes.get(n, path).await.text().to_string()
    }

    /// Answers with the user whom the path names.
    fn handler(self: &Arc<Self>, cache: &Arc<dyn Cache>) -> Handler {
        let (users, cache) = (self.clone(), cache.clone());
        handler(move |seen| {
            let (users, cache) = (users.clone(), cache.clone());
            async move {
                users.asked.fetch_add(1, Ordering::SeqCst);
                let id = seen.uri.rsplit('/').next().unwrap();
                let policy = Policy::ttl(Duration::from_secs(300));
                let load = || async { Ok::<_, Infallible>(users.renamed.load(Ordering::SeqCst)) };
                let user: u64 = cache.get_or_compute(&format!("user:{id}"), policy, load).await.unwrap();
                Said::new(&[("cache-control", "max-age=60"), ("cache-tag", "news")], user.to_string())
            }
        })
    }
}

/// User 7 is changed through one node and the other in turn, and user 8 is not.
async fn changes_reach_the_pages<R>(nodes: &Nodes<R>, users: &Users, what: &str) {
    let first = users.renamed.load(Ordering::SeqCst) + 1;
    let bystander = Users::text(nodes, 0, "/users/8").await;
    for (round, changer) in (first..).zip([0, 1, 0, 1]) {
        for path in ["/users/7", "/users/8"] {
            is_hit_on_both(nodes, path).await;
        }
        users.renamed.store(round, Ordering::SeqCst);
        nodes.caches[changer].invalidate("user:7").await;
        let after = Users::text(nodes, changer, "/users/7").await;
        assert_eq!(after, round.to_string(), "{what}: where it was changed, it is at once");
        eventually("the other node knows it", async || {
            Users::text(nodes, 1 - changer, "/users/7").await == round.to_string()
        })
        .await;
        for n in [0, 1] {
            let there = nodes.get(n, "/users/8").await;
            assert!(there.is_hit(), "{what}: {there:?}");
            assert_eq!(there.text(), bystander);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_was_made_from_drops_it_on_both_nodes() {
    for kind in Kind::ALL {
        let users = Arc::new(Users::default());
        let nodes = Nodes::start(*kind, |_, cache| users.handler(cache)).await;
        changes_reach_the_pages(&nodes, &users, &format!("{kind:?}")).await;
    }
}

/// How two processes spell the same servers.
fn spelled(servers: &[RedisServer]) -> [Vec<String>; 2] {
    ["127.0.0.1", "localhost"]
        .map(|host| servers.iter().map(|server| format!("{host}:{}", server.port())).collect())
}

/// What cannot be proved after a failover is made once more; what is proved by then is served again.
async fn changes_reach_the_pages_after_a_failover<R>(
    redis: R,
    ways: [RedisCacheBuilder; 2],
    fail_over: impl FnOnce(&R),
) {
    let users = Arc::new(Users::default());
    let ways = ways.map(patiently);
    let nodes = Nodes::over(redis, ways, Kind::ALL[0], |http| http, |_, cache| users.handler(cache)).await;
    changes_reach_the_pages(&nodes, &users, "at first").await;
    fail_over(&nodes.redis);
    in_touch(&nodes).await;
    changes_reach_the_pages(&nodes, &users, "after a failover").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_too() {
    let cluster = RedisCluster::start();
    let ways = spelled(cluster.servers()).map(|nodes| RedisCache::builder().cluster(nodes));
    changes_reach_the_pages_after_a_failover(cluster, ways, |cluster| {
        cluster.failover(cluster.slot_of("larder:log"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_sentinels_too() {
    let sentinel = RedisSentinel::start();
    let ways = spelled(sentinel.sentinels())
        .map(|nodes| RedisCache::builder().sentinel(nodes, RedisSentinel::SERVICE));
    changes_reach_the_pages_after_a_failover(sentinel, ways, |sentinel| {
        sentinel.failover();
    })
    .await;
}

/// Waits until each node hears of what the other one changes.
async fn in_touch<R>(nodes: &Nodes<R>) {
    for (changer, other) in [(0, 1), (1, 0)] {
        eventually("the nodes hear of each other", async || {
            let outcome = nodes.caches[changer].invalidate("nothing").await;
            matches!(outcome, Invalidation::Delivered(epoch) if nodes.caches[other].wait_for(epoch).await)
        })
        .await;
    }
}

static NAMES: AtomicU64 = AtomicU64::new(0);

#[cached(ttl = 300, key = "user:<id>", cache = larder::named("second"))]
async fn user_on_the_second_node(id: u64) -> u64 {
    NAMES.load(Ordering::SeqCst) + id * 1000
}

#[invalidate("user:<id>", cache = larder::named("first"))]
async fn rename_on_the_first_node(id: u64) {
    let _ = id;
    NAMES.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread")]
async fn annotated_functions_drop_pages_of_other_nodes() {
    let redis = LazyLock::new(RedisServer::start);
    let kind = Kind { tiers: Tiers::Tiered, ..Kind::ALL[0] };
    larder::install_as("first", kind.store(patient(redis.url())).await).unwrap();
    larder::install_as("second", kind.store(patient(other_url(&redis))).await).unwrap();
    let (handler, asked) = counted(|_, _| async {
        Said::new(&[("cache-control", "max-age=60")], user_on_the_second_node(7).await.to_string())
    });
    let server = Framework::Axum.serve(HttpCache::new(larder::named("second")), handler).await;
    let get = async || crate::support::client::get(server.address, "/", &[]).await;
    assert_eq!(get().await.text(), "7000");
    rename_on_the_first_node(8).await;
    assert!(get().await.is_hit());
    rename_on_the_first_node(7).await;
    eventually("the page is made anew", async || get().await.text() == "7002").await;
    assert!(get().await.is_hit());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_paths_reach_the_other_node() {
    for kind in Kind::ALL {
        let users = Arc::new(Users::default());
        let options = |http: HttpCache| http.tag("/users/<id>", "pages-of:<id>");
        let nodes = Nodes::with(*kind, |redis| redis, options, |_, cache| users.handler(cache)).await;
        let scopes: [(Scopes, &str); 5] = [
            (Scope::tag("news").into(), "by header"),
            (Scope::tag("pages-of:7").into(), "by path"),
            (page("example.com", "/users/7").into(), "page"),
            (pages_under("example.com", "/users").into(), "pages under"),
            (Scope::prefix("http").into(), "all pages"),
        ];
        for (scope, what) in scopes {
            for changer in [0, 1] {
                is_hit_on_both(&nodes, "/users/7").await;
                nodes.caches[changer].invalidate(Scope::tag("pages-of:8")).await;
                nodes.caches[changer].invalidate(page("example.com", "/users/8")).await;
                for n in [0, 1] {
                    assert!(nodes.get(n, "/users/7").await.is_hit(), "{kind:?}: that was another page");
                }
                nodes.caches[changer].invalidate(scope.clone()).await;
                goes(&nodes, 1 - changer, "/users/7", what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_through_one_node_drops_the_page_of_the_other() {
    for kind in Kind::ALL {
        let version = Arc::new(AtomicU64::new(0));
        let handler = handler(move |seen| {
            let version = version.clone();
            async move {
                if seen.method != "GET" {
                    version.fetch_add(1, Ordering::SeqCst);
                    let headers = [("content-location", "/list"), ("location", "http://other.example/kept")];
                    return Said { status: 201, ..Said::new(&headers, "") };
                }
                let text = version.load(Ordering::SeqCst).to_string();
                Said::new(&[("cache-control", "max-age=60")], text)
            }
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        for (round, method) in ["POST", "PUT", "DELETE", "PATCH"].into_iter().enumerate() {
            let (changer, other) = (round % 2, 1 - round % 2);
            for path in ["/page", "/page?query", "/list", "/kept"] {
                is_hit_on_both(&nodes, path).await;
            }
            let changed = send(nodes.address(changer), request(method, "/page", &[])).await;
            assert_eq!(changed.status, 201, "{kind:?}: {changed:?}");
            for path in ["/page", "/list"] {
                assert!(!nodes.get(changer, path).await.is_hit(), "{kind:?}: {method} {path}");
                let text = (round + 1).to_string();
                eventually("the other node knows it", async || nodes.get(other, path).await.text() == text)
                    .await;
            }
            for path in ["/page?query", "/kept"] {
                assert!(nodes.get(other, path).await.is_hit(), "{kind:?}: {method} {path}");
            }
        }
    }
}

/// A node serves what the other one has marked stale once more, while it is made anew for both.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_marks_stale_is_stale_on_the_other() {
    for kind in Kind::ALL {
        let (version, asked) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(0)));
        let nodes = Nodes::start(*kind, |_, _| {
            let (version, asked) = (version.clone(), asked.clone());
            handler(move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                let lifetimes = ("cache-control", "max-age=60, stale-while-revalidate=600");
                let version = version.load(Ordering::SeqCst).to_string();
                std::future::ready(Said::new(&[lifetimes, ("cache-tag", "news")], version))
            })
        })
        .await;
        is_hit_on_both(&nodes, "/page").await;
        for (round, [marks, other]) in [(2, [0, 1]), (3, [1, 0])] {
            let before = asked.load(Ordering::SeqCst);
            version.store(round, Ordering::SeqCst);
            let marked = nodes.caches[marks].mark_stale(Scope::tag("news")).await;
            let Invalidation::Delivered(epoch) = marked else { panic!("{kind:?}: {marked:?}") };
            assert!(nodes.caches[other].wait_for(epoch).await);
            let stale = nodes.get(other, "/page").await;
            assert!(stale.is_hit(), "{kind:?}: {stale:?}");
            let found = (stale.text(), stale.header("age"));
            assert_eq!(found, ((round - 1).to_string(), Some("60".to_owned())), "{kind:?}: {stale:?}");
            for n in [other, marks] {
                eventually("it is made anew", async || {
                    let received = nodes.get(n, "/page").await;
                    received.is_hit() && received.text() == round.to_string()
                })
                .await;
            }
            let made = asked.load(Ordering::SeqCst) - before;
            assert!(
                (1..=2).contains(&made),
                "{kind:?}: each node makes it at most once, and not {made} times"
            );
        }
    }
}
