//! A page that one node made is another one's hit, byte for byte.

use std::sync::atomic::Ordering;

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::HeaderValue;
use larder_http::HttpCache;
use larder_servers::RedisServer;

use crate::{
    nodes::{Kind, Nodes, counted, other_url, patient},
    support::{
        Said, Seen,
        client::{Received, get, request, send},
        eventually,
        servers::{Framework, serve_router},
    },
};

const PATHS: [&str; 4] = ["/binary", "/empty", "/large", "/not-found"];

/// All bytes there are; none; a million that cannot be compressed.
fn body(path: &str) -> Bytes {
    match path {
        "/binary" => (0..=255).cycle().take(10_000).collect(),
        "/large" => {
            let mut random = fastrand::Rng::with_seed(7);
            std::iter::repeat_with(|| random.u8(..)).take(1_000_000).collect()
        }
        _ => Bytes::new(),
    }
}

fn said(seen: &Seen) -> Said {
    let status = if seen.uri.ends_with("/not-found") { 404 } else { 200 };
    let path = seen.uri.trim_start_matches("http://example.com");
    let headers = [
        ("cache-control", "max-age=60"),
        ("content-type", "application/octet-stream"),
        ("x-name", "Zoë – ☂"),
        ("link", "<a>; rel=next"),
        ("link", "<b>; rel=prev"),
    ];
    Said { status, ..Said::new(&headers, body(path)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_one_node_is_a_hit_on_the_other() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, _| std::future::ready(said(&seen)));
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        for (n, path) in PATHS.into_iter().enumerate() {
            let made = nodes.get(n % 2, path).await;
            assert_eq!(made.cache_status(), "larder; fwd=uri-miss; stored", "{kind:?}: {path}");
            nodes.clock.advance(7);
            for node in [(n + 1) % 2, n % 2, (n + 1) % 2] {
                let hit = nodes.get(node, path).await;
                assert_eq!(hit.cache_status(), "larder; hit; ttl=53", "{kind:?}: {path}");
                assert_same(&made, &hit, &format!("{kind:?}: {path}"));
                assert!(hit.body == Some(body(path)), "{kind:?}: {path}");
                assert_eq!(hit.header("age").unwrap(), "7");
                assert_eq!(hit.header("x-name").unwrap(), "Zoë – ☂");
                assert_eq!(hit.header("link").unwrap(), "<a>; rel=next, <b>; rel=prev");
            }
        }
        assert_eq!(asked.load(Ordering::SeqCst), PATHS.len(), "{kind:?}");
    }
}

fn assert_same(made: &Received, hit: &Received, what: &str) {
    assert_eq!(made.status, hit.status, "{what}");
    for name in ["cache-control", "content-type", "content-length", "date", "etag", "link", "x-name"] {
        assert_eq!(made.header(name), hit.header(name), "{what}: {name}");
    }
    assert!(made.header("etag").is_some(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_node_answers_head_and_conditions() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, _| std::future::ready(said(&seen)));
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        for path in ["/binary", "/empty", "/large"] {
            let made = nodes.get(0, path).await;
            let head = send(nodes.address(1), request("HEAD", path, &[])).await;
            assert!(head.is_hit(), "{kind:?}: {head:?}");
            assert_eq!(head.body.as_deref(), Some(&b""[..]));
            assert_eq!(head.header("content-length").unwrap(), body(path).len().to_string());
            assert_eq!(head.header("etag"), made.header("etag"));

            let etag = made.header("etag").unwrap();
            let unchanged = get(nodes.address(1), path, &[("if-none-match", &etag)]).await;
            assert_eq!(unchanged.status, 304, "{kind:?}");
            assert!(unchanged.is_hit());
            assert_eq!(unchanged.header("etag"), Some(etag));
            assert_eq!(unchanged.header("content-type"), None);
            let changed = get(nodes.address(1), path, &[("if-none-match", "\"other\"")]).await;
            assert_eq!((changed.status, changed.body == Some(body(path))), (200, true));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_lie_side_by_side_for_all_nodes() {
    const LANGUAGES: [&str; 4] = ["en", "de", "fr", "it"];
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, _| {
            let language = seen.header("accept-language").unwrap_or("none").to_owned();
            std::future::ready(Said::new(
                &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
                language,
            ))
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        for (n, language) in LANGUAGES.iter().enumerate() {
            let made = get(nodes.address(n % 2), "/", &[("accept-language", language)]).await;
            assert!(!made.is_hit(), "{kind:?}: {made:?}");
        }
        for (n, language) in LANGUAGES.iter().enumerate().rev() {
            for node in [(n + 1) % 2, n % 2] {
                let hit = get(nodes.address(node), "/", &[("accept-language", language)]).await;
                assert!(hit.is_hit(), "{kind:?}: {hit:?}");
                assert_eq!(hit.text(), *language, "{kind:?}");
            }
        }
        let none = nodes.get(1, "/").await;
        assert_eq!(
            (none.text(), none.cache_status()),
            ("none".to_owned(), "larder; fwd=vary-miss; stored".to_owned())
        );
        assert_eq!(asked.load(Ordering::SeqCst), LANGUAGES.len() + 1, "{kind:?}");
    }
}

/// What one node finds stale it validates, also if another one stored it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_one_node_is_validated_by_the_other() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, _| {
            let headers = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
            let unchanged = seen.header("if-none-match") == Some("\"a\"");
            let status = if unchanged { 304 } else { 200 };
            let body = if unchanged { "" } else { "body" };
            std::future::ready(Said { status, ..Said::new(&headers, body) })
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        nodes.get(0, "/").await;
        for node in [1, 0] {
            nodes.clock.advance(61);
            let validated = nodes.get(node, "/").await;
            assert_eq!(validated.cache_status(), "larder; fwd=stale; fwd-status=304; stored", "{kind:?}");
            assert_eq!(validated.text(), "body");
            // To replace a page invalidates the old one: until that is told, the other node may ask for itself.
            eventually("it is a hit on the other node", async || {
                let again = nodes.get(1 - node, "/").await;
                assert_eq!(again.text(), "body");
                again.cache_status() == "larder; hit; ttl=60"
            })
            .await;
        }
        assert!(asked.load(Ordering::SeqCst) >= 3, "{kind:?}");
    }
}

/// Header values are bytes, not text.
#[tokio::test(flavor = "multi_thread")]
async fn header_values_that_are_no_text() {
    let value = HeaderValue::from_bytes(b"Zo\xeb \xff\x80").unwrap();
    for kind in Kind::ALL.iter().filter(|kind| matches!(kind.framework, Framework::Axum)) {
        let redis = RedisServer::start();
        let mut servers = Vec::new();
        for url in [redis.url(), other_url(&redis)] {
            let value = value.clone();
            let router = Router::new().fallback(move || {
                let response = Response::builder().header("cache-control", "max-age=60");
                std::future::ready(response.header("x-name", value).body(Body::from("body")).unwrap())
            });
            servers.push(serve_router(router.layer(HttpCache::new(kind.store(patient(url)).await))).await);
        }
        get(servers[0].address, "/", &[]).await;
        let hit = get(servers[1].address, "/", &[]).await;
        assert!(hit.is_hit(), "{kind:?}: {hit:?}");
        assert_eq!(hit.headers["x-name"], value, "{kind:?}");
    }
}

/// A page that is too large for Redis is still a page: each node's own, or no node's.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_too_large_for_redis_is_still_passed_on() {
    for kind in Kind::ALL {
        let (handler, _) = counted(|seen, _| std::future::ready(said(&seen)));
        let nodes =
            Nodes::with(*kind, |redis| redis.largest_value(100_000), |http| http, |_, _| handler.clone())
                .await;
        for n in [0, 1, 0, 1] {
            let received = nodes.get(n, "/large").await;
            assert!(received.body == Some(body("/large")), "{kind:?}: {:?}", received.headers);
        }
    }
}
