//! Bodies on their way while the other node waits for them: a lease lives no longer than what it is for.

use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use larder_http::HttpCache;
use larder_servers::RedisServer;
use tokio::task::JoinHandle;

use crate::{
    nodes::{Kind, Nodes, SOON, all_ask},
    support::{
        client::{Received, open, request},
        eventually,
        streams::{Streams, chunk},
    },
};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];
const NO_STORE: &[(&str, &str)] = &[("cache-control", "no-store")];

/// Those on the second node who wait for what a client of the first one is being sent.
struct Waiting(JoinHandle<Vec<Received>>);

/// A client of the first node has the head of a response, and others on the second one wait for its end.
async fn begin(nodes: &Nodes, streams: &Streams) -> (Response<Incoming>, Waiting) {
    let leader = open(nodes.address(0), request("GET", "/", &[])).await;
    assert_eq!(streams.begun(), 1);
    let second = nodes.address(1);
    let waiting = tokio::spawn(async move { all_ask(10, &[second], "/").await });
    eventually("the other node waits for the lease", || std::future::ready(a_node_waits(&nodes.redis))).await;
    assert_eq!(streams.begun(), 1, "the other node waits");
    (leader, Waiting(waiting))
}

impl Waiting {
    /// The second node asks its handler, which has this to say.
    async fn are_told(self, streams: &Streams, text: &'static str) -> Vec<Received> {
        eventually("the other node asks", || std::future::ready(streams.begun() == 2)).await;
        let sender = streams.take(1);
        sender.send(Ok(text.into())).unwrap();
        drop(sender);
        self.received().await
    }

    async fn received(self) -> Vec<Received> {
        tokio::time::timeout(SOON, self.0).await.expect("none waits for a lease that is over").unwrap()
    }
}

/// A lease has a mark for that.
fn a_node_waits(redis: &RedisServer) -> bool {
    let leases: Vec<String> = redis.command(&["KEYS", "larder:l:*"]);
    leases.iter().any(|lease| redis.command::<Vec<u8>>(&["GETRANGE", lease, "24", "24"]) == b"w")
}

fn assert_all(received: &[Received], text: &str, kind: &Kind) {
    assert_eq!(received.len(), 10);
    assert!(received.iter().all(|received| received.text() == text), "{kind:?}: {received:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_on_its_way_is_waited_for_by_the_other_node() {
    for kind in Kind::ALL {
        let streams = Streams::default();
        let nodes = Nodes::start(*kind, |_, _| streams.handler(FRESH)).await;
        let (_leader, waiting) = begin(&nodes, &streams).await;
        let sender = streams.take(0);
        sender.send(Ok("one".into())).unwrap();
        sender.send(Ok("two".into())).unwrap();
        drop(sender);
        assert_all(&waiting.received().await, "onetwo", kind);
        assert_eq!(streams.begun(), 1, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_the_lease() {
    for kind in Kind::ALL {
        let streams = Streams::default();
        let briefly = |http: HttpCache| http.disconnect_grace(Duration::from_millis(1));
        let nodes = Nodes::with(*kind, |redis| redis, briefly, |_, _| streams.handler(FRESH)).await;
        let (mut leader, waiting) = begin(&nodes, &streams).await;
        let sender = streams.take(0);
        sender.send(Ok("part".into())).unwrap();
        assert_eq!(chunk(leader.body_mut()).await.unwrap(), "part");
        drop(leader);
        // A server notices that a client is gone when it sends.
        eventually("the other node asks", || {
            let _ = sender.send(Ok("more".into()));
            std::future::ready(streams.begun() == 2)
        })
        .await;
        assert_all(&waiting.are_told(&streams, "whole").await, "whole", kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_ends_the_lease() {
    for kind in Kind::ALL {
        for how in ["error", "panic"] {
            let streams = Streams::default();
            let nodes = Nodes::start(*kind, |_, _| streams.handler(FRESH)).await;
            let (mut leader, waiting) = begin(&nodes, &streams).await;
            let sender = streams.take(0);
            sender.send(Ok("part".into())).unwrap();
            assert_eq!(chunk(leader.body_mut()).await.unwrap(), "part");
            let last = if how == "error" { Err(std::io::Error::other("broken")) } else { Ok("panic".into()) };
            sender.send(last).unwrap();
            assert_all(&waiting.are_told(&streams, "whole").await, "whole", kind);
        }
    }
}

/// What is on its way but will not be stored is nothing to wait for.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_grows_too_large_ends_the_lease() {
    for kind in Kind::ALL {
        let streams = Streams::default();
        let nodes =
            Nodes::with(*kind, |redis| redis, |http| http.max_body(8), |_, _| streams.handler(FRESH)).await;
        let (mut leader, waiting) = begin(&nodes, &streams).await;
        let sender = streams.take(0);
        sender.send(Ok("too large".into())).unwrap();
        assert_eq!(chunk(leader.body_mut()).await.unwrap(), "too large");
        // It goes on, and on.
        sender.send(Ok(" by far".into())).unwrap();
        assert_eq!(chunk(leader.body_mut()).await.unwrap(), " by far");
        assert_all(&waiting.are_told(&streams, "short").await, "short", kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_to_be_stored_has_no_lease() {
    for kind in Kind::ALL {
        let streams = Streams::default();
        let nodes = Nodes::start(*kind, |_, _| streams.handler(NO_STORE)).await;
        let mut first = open(nodes.address(0), request("GET", "/", &[])).await;
        let mut second = tokio::time::timeout(SOON, open(nodes.address(1), request("GET", "/", &[])))
            .await
            .expect("it waits for no other");
        for (n, response) in [(0, &mut first), (1, &mut second)] {
            let sender = streams.take(n);
            sender.send(Ok("event".into())).unwrap();
            assert_eq!(chunk(response.body_mut()).await.unwrap(), "event", "{kind:?}");
        }
        // The answer goes out at once, and the lease is given back behind it.
        eventually("the lease ends while the streams go on", || {
            std::future::ready(nodes.redis.command::<Vec<String>>(&["KEYS", "larder:l:*"]).is_empty())
        })
        .await;
    }
}
