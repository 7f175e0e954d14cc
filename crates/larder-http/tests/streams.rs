//! Bodies that come as they come: when they are stored, and that no client waits for one that has no end.

mod support;

use std::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use support::{
    Said, TestClock,
    client::{get as ask, open, request, try_send},
    eventually, handler, http_cache,
    servers::{Framework, serve_router},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// A client has all of a body whose length it knows before the end of the stream is seen.
#[tokio::test]
async fn a_stream_of_a_known_length_is_stored() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            let (said, sender) = Said::stream(&[("cache-control", "max-age=60"), ("content-length", "6")]);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                sender.send(Ok("abcdef".into())).unwrap();
                // The reader of a file finds out that it is at its end with one more read.
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
            std::future::ready(said)
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        let callers: Vec<_> =
            (0..5).map(|_| tokio::spawn(async move { ask(address, "/", &[]).await })).collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().text(), "abcdef");
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let again = ask(server.address, "/", &[]).await;
        assert!(
            again.is_hit() && asked.load(Ordering::SeqCst) == 1,
            "{framework:?}: asked {} times, one after the other; {again:?}",
            asked.load(Ordering::SeqCst)
        );
    }
}

/// A body that announces a length, in its headers or by itself, and has less.
struct Short {
    announced: u64,
    data: Option<Bytes>,
}

impl http_body::Body for Short {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.data.take().map(|data| Ok(http_body::Frame::data(data))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.announced)
    }
}

#[cfg(feature = "actix")]
impl actix_web::body::MessageBody for Short {
    type Error = Infallible;

    fn size(&self) -> actix_web::body::BodySize {
        actix_web::body::BodySize::Sized(self.announced)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.data.take().map(Ok))
    }
}

/// Its client learns of it, and no client gets a part as the whole.
#[tokio::test]
async fn a_body_that_ends_short_of_its_length_is_broken() {
    let short = || Short { announced: 10, data: Some("12345".into()) };
    let axum = {
        let answer =
            move || async move { ([("cache-control", "max-age=60")], axum::body::Body::new(short())) };
        let router = axum::Router::new().route("/", axum::routing::get(answer));
        serve_router(router.layer(http_cache(&TestClock::new()))).await
    };
    let mut servers = vec![axum];
    #[cfg(feature = "actix")]
    {
        use actix_web::{App, HttpResponse, web};
        let cache = http_cache(&TestClock::new());
        let answer = move || async move {
            HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body(short())
        };
        let app = move || App::new().wrap(cache.clone()).route("/", web::get().to(answer));
        servers.push(support::servers::actix(app).await);
    }
    for (nth, server) in servers.iter().enumerate() {
        // A server may break off before it has sent the head.
        let text = async |headers| {
            let response = try_send(server.address, request("GET", "/", headers)).await.ok()?;
            Some(response.into_body().collect().await.ok()?.to_bytes())
        };
        for _ in 0..2 {
            assert_eq!(text(&[]).await, None, "{nth}");
        }
        assert_ne!(
            text(&[("range", "bytes=4-9")]).await,
            Some("5".into()),
            "{nth}: the last part of five bytes"
        );
    }
}

/// Other streams than `text/event-stream` go on for as long as a client listens, too.
#[tokio::test]
async fn no_client_waits_for_a_stream_that_does_not_end() {
    for framework in Framework::ALL {
        let senders = Arc::new(Mutex::new(Vec::new()));
        let kept = senders.clone();
        let handler = handler(move |_| {
            let (said, sender) = Said::stream(&[("content-type", "application/x-ndjson")]);
            sender.send(Ok("{}\n".into())).unwrap();
            kept.lock().unwrap().push(sender);
            std::future::ready(said)
        });
        let cache =
            http_cache(&TestClock::new()).ttl(Duration::from_secs(60)).body_timeout(Duration::from_secs(1));
        let server = framework.serve(cache, handler).await;
        let _first = open(server.address, request("GET", "/", &[])).await;
        let second =
            tokio::time::timeout(Duration::from_secs(20), open(server.address, request("GET", "/", &[])))
                .await;
        assert!(second.is_ok(), "{framework:?}: the second client waits for the first one's stream to end");
    }
}

/// A client that has what it wants is answered with a 304, and then no client listens.
#[tokio::test]
async fn a_stream_without_listeners_is_let_go() {
    for framework in Framework::ALL {
        let senders = Arc::new(Mutex::new(Vec::new()));
        let kept = senders.clone();
        let handler = handler(move |_| {
            let (said, sender) = Said::stream(&[("etag", "\"a\"")]);
            kept.lock().unwrap().push(sender);
            std::future::ready(said)
        });
        let cache =
            http_cache(&TestClock::new()).ttl(Duration::from_secs(60)).body_timeout(Duration::from_secs(1));
        let server = framework.serve(cache, handler).await;
        for _ in 0..5 {
            // Alone: it does not want what others may have.
            let fields = [("if-none-match", "\"a\""), ("cache-control", "no-cache")];
            assert_eq!(ask(server.address, "/", &fields).await.status, 304);
        }
        eventually("nothing is copied without a listener", || async {
            senders.lock().unwrap().iter().all(|sender| sender.is_closed())
        })
        .await;
    }
}

#[tokio::test]
async fn large_parts_of_small_chunks_stay_within_bounds() {
    // Not a finding of correctness: shows that the body reaches the client whole.
    let (said, sender) = Said::stream(&[("cache-control", "max-age=60")]);
    let said = Mutex::new(Some(said));
    let handler = handler(move |_| std::future::ready(said.lock().unwrap().take().unwrap()));
    let server = Framework::Axum.serve(http_cache(&TestClock::new()).max_body(1000), handler).await;
    let response = open(server.address, request("GET", "/", &[])).await;
    for _ in 0..3000 {
        sender.send(Ok(Bytes::from_static(b"x"))).unwrap();
    }
    drop(sender);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 3000);
}

/// A client that does not read its response must not keep others from a newer one.
#[tokio::test]
async fn a_slow_client_keeps_no_other_from_a_refresh() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            let large = Bytes::from(vec![b'x'; 16 << 20]);
            std::future::ready(Said::new(
                &[("cache-control", "max-age=10, stale-while-revalidate=86400")],
                large,
            ))
        });
        let cache = http_cache(&clock).capacity(1 << 30).max_body(64 << 20);
        let server = framework.serve(cache, handler).await;
        ask(server.address, "/", &[]).await;
        clock.advance(20);
        // Reads the head, and nothing of the body.
        let slow = open(server.address, request("GET", "/", &[])).await;
        eventually("there is a refresh", || async {
            assert!(ask(server.address, "/", &[]).await.is_hit());
            asked.load(Ordering::SeqCst) == 2
        })
        .await;
        drop(slow);
    }
}

/// A copy for the cache never changes what is passed on.
#[tokio::test]
async fn trailers_after_a_body_of_a_known_length_are_passed_on() {
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "1".parse().unwrap());
        let body = Full::new(Bytes::from("text")).with_trailers(ready(Some(Ok::<_, Infallible>(trailers))));
        Ok::<_, Infallible>(Response::builder().header("cache-control", "max-age=60").body(body).unwrap())
    });
    let service = http_cache(&TestClock::new()).layer(inner);
    let request = Request::get("/").header("host", "a").body(Empty::new()).unwrap();
    let collected = service.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().map(HeaderMap::len), Some(1));
}

/// A client that knows the length drops the body once it has all of it; what came whole is stored.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_body_of_a_known_length_is_stored() {
    const LENGTH: usize = 1 << 20;
    let redis = larder_servers::RedisServer::start();
    let store = larder::RedisCache::builder().url(redis.url()).connect().await.unwrap();
    let cache = larder_http::HttpCache::new(store).max_body(LENGTH);
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        let (said, sender) = Said::stream(&[]);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            for _ in 0..LENGTH / 65_536 {
                drop(sender.send(Ok(Bytes::from(vec![b'x'; 65_536]))));
            }
        });
        let support::SaidBody::Stream(chunks) = said.body else { unreachable!() };
        let head = Response::builder().header("cache-control", "max-age=60").header("content-length", LENGTH);
        Ok::<_, Infallible>(head.body(chunks).unwrap())
    });
    let service = cache.layer(inner);
    // The first twenty wait to be told that nothing follows, and the others do not.
    let mut lost = [Vec::new(), Vec::new()];
    for n in 0..40 {
        let to = || Request::get(format!("/{n}")).header("host", "a").body(Empty::new()).unwrap();
        let mut body = service.clone().oneshot(to()).await.unwrap().into_body();
        let mut left = LENGTH;
        while left > 0 {
            left -= body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        if n < 20 {
            assert!(body.frame().await.is_none());
        }
        drop(body);
        // A client that asks now waits for what is being stored, or finds it.
        let again = service.clone().oneshot(to()).await.unwrap();
        let told = again.headers()["cache-status"].to_str().unwrap().to_owned();
        if !told.starts_with("larder; hit") && !told.contains("collapsed") {
            lost[n / 20].push((n, told));
        }
    }
    assert_eq!(lost, [[], []]);
}
