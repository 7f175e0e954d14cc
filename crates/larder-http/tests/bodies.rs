//! Bodies on their way: streams, large ones, broken ones, compressed ones; and handlers that panic.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use support::{
    Said, TestClock,
    client::{self, get, open, request},
    eventually, handler, http_cache,
    servers::{Framework, router, serve_router},
    streams::{Streams, chunk},
};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

#[tokio::test]
async fn a_stream_passes_as_it_comes_and_is_stored_when_complete() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let server = framework.serve(http_cache(&TestClock::new()), streams.handler(FRESH)).await;
        let mut body = open(server.address, request("GET", "/", &[])).await.into_body();
        let sender = streams.take(0);
        for text in ["one", "two", "three"] {
            sender.send(Ok(text.into())).unwrap();
            assert_eq!(chunk(&mut body).await.unwrap(), text, "{framework:?}");
        }
        drop(sender);
        assert_eq!(chunk(&mut body).await, None);
        let again = get(server.address, "/", &[]).await;
        assert!(again.is_hit(), "{framework:?}: {again:?}");
        assert_eq!(again.text(), "onetwothree");
        assert_eq!(again.header("content-length").unwrap(), "11");
        assert_eq!(streams.begun(), 1);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_and_holds_up_no_other() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let cache = http_cache(&TestClock::new()).disconnect_grace(Duration::from_millis(1));
        let server = framework.serve(cache, streams.handler(FRESH)).await;
        let leader = open(server.address, request("GET", "/", &[])).await;
        let first = streams.take(0);
        first.send(Ok("part".into())).unwrap();
        let mut body = leader.into_body();
        assert_eq!(chunk(&mut body).await.unwrap(), "part");
        let address = server.address;
        let waiter = tokio::spawn(async move { get(address, "/", &[]).await });
        // It waits for what the other one began.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(streams.begun(), 1, "{framework:?}");
        drop(body);
        eventually("the waiter asks for itself", || {
            let _ = first.send(Ok("more".into()));
            std::future::ready(streams.begun() == 2)
        })
        .await;
        let second = streams.take(1);
        second.send(Ok("whole".into())).unwrap();
        drop(second);
        let answer = waiter.await.unwrap();
        assert_eq!(answer.text(), "whole", "{framework:?}");
        assert_eq!(get(address, "/", &[]).await.text(), "whole");
        assert_eq!(streams.begun(), 2);
    }
}

/// Most often its response is soon there, for those who wait.
#[tokio::test]
async fn a_stream_goes_on_without_its_client() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let server = framework.serve(http_cache(&TestClock::new()), streams.handler(FRESH)).await;
        let leader = open(server.address, request("GET", "/", &[])).await;
        let sender = streams.take(0);
        sender.send(Ok("one".into())).unwrap();
        let mut body = leader.into_body();
        assert_eq!(chunk(&mut body).await.unwrap(), "one");
        drop(body);
        // Servers notice at their leisure.
        for _ in 0..10 {
            sender.send(Ok("more".into())).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(sender);
        let whole = format!("one{}", "more".repeat(10));
        assert_eq!(get(server.address, "/", &[]).await.text(), whole, "{framework:?}");
        assert_eq!(streams.begun(), 1, "{framework:?}");
    }
}

#[tokio::test]
async fn a_slow_client_holds_up_no_other() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let cache = http_cache(&TestClock::new()).capacity(1 << 30).max_body(64 << 20);
        let server = framework.serve(cache, streams.handler(FRESH)).await;
        // Reads the head, and nothing of the body.
        let slow = open(server.address, request("GET", "/", &[])).await;
        let sender = streams.take(0);
        for _ in 0..16 {
            sender.send(Ok(vec![b'x'; 1 << 20].into())).unwrap();
        }
        drop(sender);
        let quick = tokio::time::timeout(Duration::from_secs(20), get(server.address, "/", &[])).await;
        let quick = quick.expect("in time");
        assert_eq!(quick.status, 200, "{framework:?}: {:?}", quick.headers);
        assert_eq!(quick.body.unwrap().len(), 16 << 20, "{framework:?}");
        assert_eq!(streams.begun(), 1);
        assert_eq!(slow.into_body().collect().await.unwrap().to_bytes().len(), 16 << 20);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored_nor_taken_for_whole() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let server = framework.serve(http_cache(&TestClock::new()), streams.handler(FRESH)).await;
        let mut body = open(server.address, request("GET", "/", &[])).await.into_body();
        let sender = streams.take(0);
        sender.send(Ok("part".into())).unwrap();
        assert_eq!(chunk(&mut body).await.unwrap(), "part");
        sender.send(Err(std::io::Error::other("broken"))).unwrap();
        assert!(body.collect().await.is_err(), "{framework:?}: a part must not look whole");
        drop(open(server.address, request("GET", "/", &[])).await);
        assert_eq!(streams.begun(), 2, "{framework:?}");
    }
}

#[tokio::test]
async fn a_body_that_panics_is_not_stored_nor_taken_for_whole() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let server = framework.serve(http_cache(&TestClock::new()), streams.handler(FRESH)).await;
        let mut body = open(server.address, request("GET", "/", &[])).await.into_body();
        let sender = streams.take(0);
        sender.send(Ok("part".into())).unwrap();
        assert_eq!(chunk(&mut body).await.unwrap(), "part");
        sender.send(Ok("panic".into())).unwrap();
        assert!(body.collect().await.is_err(), "{framework:?}: a part must not look whole");
        drop(open(server.address, request("GET", "/", &[])).await);
        assert_eq!(streams.begun(), 2, "{framework:?}");
    }
}

#[tokio::test]
async fn event_streams_are_never_stored() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let headers: &[_] = &[("content-type", "text/event-stream"), ("cache-control", "max-age=60")];
        let server = framework.serve(http_cache(&TestClock::new()), streams.handler(headers)).await;
        let one = open(server.address, request("GET", "/", &[])).await;
        let two = open(server.address, request("GET", "/", &[])).await;
        assert_eq!(streams.begun(), 2, "{framework:?}: none waits for a stream to end");
        for (n, response) in [one, two].into_iter().enumerate() {
            let mut body = response.into_body();
            let sender = streams.take(n);
            sender.send(Ok("data: 1\n\n".into())).unwrap();
            assert_eq!(chunk(&mut body).await.unwrap(), "data: 1\n\n");
        }
    }
}

#[tokio::test]
async fn sizes() {
    let large = Bytes::from(vec![b'x'; 10 << 20]);
    for framework in Framework::ALL {
        for (body, limit, is_stored) in [
            (Bytes::new(), 0, true),
            (Bytes::from_static(b"12345"), 5, true),
            (Bytes::from_static(b"123456"), 5, false),
            (large.clone(), 1 << 20, false),
            (large.clone(), 10 << 20, true),
        ] {
            let asked = Arc::new(AtomicUsize::new(0));
            let (counter, said) = (asked.clone(), body.clone());
            let whole = handler(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                std::future::ready(Said::new(FRESH, said.clone()))
            });
            let cache = http_cache(&TestClock::new()).capacity(1 << 30).max_body(limit);
            let server = framework.serve(cache, whole).await;
            for _ in 0..2 {
                let received = get(server.address, "/", &[]).await;
                assert_eq!(received.body.unwrap(), body);
                assert_eq!(received.headers["content-length"], body.len().to_string());
            }
            let expected = if is_stored { 1 } else { 2 };
            assert_eq!(asked.load(Ordering::SeqCst), expected, "{framework:?}, {} bytes", body.len());
        }
    }
}

#[tokio::test]
async fn a_stream_beyond_the_limit_passes_whole() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let server =
            framework.serve(http_cache(&TestClock::new()).max_body(1 << 20), streams.handler(FRESH)).await;
        let response = open(server.address, request("GET", "/", &[])).await;
        let sender = streams.take(0);
        for _ in 0..10 {
            sender.send(Ok(vec![b'x'; 1 << 20].into())).unwrap();
        }
        drop(sender);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 10 << 20, "{framework:?}");
        drop(open(server.address, request("GET", "/", &[])).await);
        assert_eq!(streams.begun(), 2, "{framework:?}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_leaves_nothing() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let panicking = handler(move |_| {
            let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                tokio::task::yield_now().await;
                assert!(!first, "the first call panics, as it should");
                Said::new(FRESH, "fine")
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), panicking).await;
        // Neither framework makes a response of a panic: the connection is closed, or never answered.
        let broken = client::try_send(server.address, request("GET", "/", &[]));
        let broken = tokio::time::timeout(Duration::from_secs(2), broken).await;
        assert!(!matches!(broken, Ok(Ok(_))), "{framework:?}");
        assert_eq!(get(server.address, "/", &[]).await.text(), "fine", "{framework:?}");
        assert!(get(server.address, "/", &[]).await.is_hit(), "{framework:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{framework:?}");
    }
}

#[tokio::test]
async fn after_a_panic_the_next_request_is_answered() {
    use tower_http::catch_panic::CatchPanicLayer;

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let panicking = handler(move |_| {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(!first, "the first call panics, as it should");
            Said::new(FRESH, "fine")
        }
    });
    let routes = router(panicking).layer(http_cache(&TestClock::new())).layer(CatchPanicLayer::new());
    let server = serve_router(routes).await;
    let address = server.address;
    let callers: Vec<_> = (0..8).map(|_| tokio::spawn(async move { get(address, "/", &[]).await })).collect();
    let mut statuses = Vec::new();
    for caller in callers {
        statuses.push(caller.await.unwrap().status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 500]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "one panics, one of those who wait asks again");
}

#[tokio::test]
async fn an_outer_layer_compresses() {
    use tower_http::compression::CompressionLayer;

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let text = "the same again and ".repeat(500);
    let said = text.clone();
    let whole = handler(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Said::new(
            &[("cache-control", "max-age=60"), ("content-type", "text/plain")],
            said.clone(),
        ))
    });
    let routes = router(whole).layer(http_cache(&TestClock::new())).layer(CompressionLayer::new());
    let server = serve_router(routes).await;
    for _ in 0..2 {
        let compressed = get(server.address, "/", &[("accept-encoding", "gzip")]).await;
        assert_eq!(compressed.header("content-encoding").unwrap(), "gzip");
        assert!(compressed.body.unwrap().len() < 1000);
        let plain = get(server.address, "/", &[]).await;
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.text(), text);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_inner_layer_compresses() {
    use tower_http::compression::CompressionLayer;

    let text = "the same again and ".repeat(500);
    let said = text.clone();
    let whole = handler(move |_| {
        std::future::ready(Said::new(
            &[("cache-control", "max-age=60"), ("content-type", "text/plain")],
            said.clone(),
        ))
    });
    let routes = router(whole).layer(CompressionLayer::new()).layer(http_cache(&TestClock::new()));
    let server = serve_router(routes).await;
    for is_hit in [false, true] {
        let compressed = get(server.address, "/", &[("accept-encoding", "gzip")]).await;
        assert_eq!(compressed.header("content-encoding").unwrap(), "gzip");
        assert_eq!(compressed.is_hit(), is_hit);
        let plain = get(server.address, "/", &[]).await;
        assert_eq!((plain.header("content-encoding"), plain.text()), (None, text.clone()));
        assert_eq!(plain.is_hit(), is_hit);
    }
}

#[tokio::test]
async fn a_get_with_a_body_is_not_answered_from_the_cache_nor_stored() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let whole = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Said::new(FRESH, "answer"))
        });
        let server = framework.serve(http_cache(&TestClock::new()), whole).await;
        for expected in 1..=2 {
            let mut fat = request("GET", "/", &[]);
            *fat.body_mut() = Full::from("evil=1");
            let received = client::send(server.address, fat).await;
            assert!(received.cache_status().contains("fwd=bypass"), "{framework:?}: {received:?}");
            assert_eq!(asked.load(Ordering::SeqCst), expected);
        }
        assert!(!get(server.address, "/", &[]).await.is_hit());
    }
}
