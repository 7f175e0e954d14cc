//! RFC 9110, section 14: parts of responses, from what is stored and on the way there.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder_http::HttpCache;
use support::{
    Said, TestClock,
    client::{get as ask, open, request},
    eventually, handler, http_cache,
    servers::Framework,
    streams::{Streams, chunk},
    table::{Step, case, get, method, run},
};

const DIGITS: &str = "0123456789";

fn stored() -> Step {
    get()
        .says("cache-control", "max-age=60")
        .says("content-type", "text/plain")
        .says("etag", "\"a\"")
        .says_body(DIGITS)
}

fn part(range: &'static str) -> Step {
    get().sends("range", range)
}

#[tokio::test]
async fn parts_of_what_is_stored() {
    let mut cases = Vec::new();
    for (range, content_range, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=7-99", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-99", "bytes 0-9/10", DIGITS),
        ("bytes=20-30, 1-2", "bytes 1-2/10", "12"),
    ] {
        let length: &'static str = body.len().to_string().leak();
        cases.push(case(
            range,
            [
                stored().says("content-digest", "sha-256=:x:"),
                part(range)
                    .after(5)
                    .hit()
                    .status(206)
                    .has("content-range", content_range)
                    .has("content-length", length)
                    .has("content-type", "text/plain")
                    .has("etag", "\"a\"")
                    .has("cache-control", "max-age=60")
                    .has("age", "5")
                    .has("date", "{-5}")
                    .lacks("content-digest")
                    .body(body),
                get()
                    .hit()
                    .status(200)
                    .lacks("content-range")
                    .has("content-digest", "sha-256=:x:")
                    .body(DIGITS),
            ],
        ));
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=10-11,12-13"] {
        cases.push(case(
            range,
            [
                stored().says("access-control-allow-origin", "*"),
                part(range)
                    .hit()
                    .status(416)
                    .has("content-range", "bytes */10")
                    .has("access-control-allow-origin", "*")
                    .lacks("etag")
                    .lacks("cache-control")
                    .lacks("content-type")
                    .body(""),
            ],
        ));
    }
    for range in ["bytes=2-1", "bytes=x", "bytes", "bytes=0-1,x", "bytes=0-,0-,0-", "nonsense"] {
        cases
            .push(case(range, [stored(), part(range).hit().status(200).lacks("content-range").body(DIGITS)]));
    }
    run(cases).await;
}

#[tokio::test]
async fn several_parts() {
    for framework in Framework::ALL {
        let headers = [("cache-control", "max-age=60"), ("content-type", "text/plain")];
        let handler = handler(move |_| std::future::ready(Said::new(&headers, DIGITS)));
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        // Nothing is stored, and then the whole is.
        for is_hit in [false, true] {
            let received = ask(server.address, "/", &[("range", "bytes=8-,0-1")]).await;
            assert_eq!((received.status, received.is_hit()), (206, is_hit), "{framework:?}: {received:?}");
            assert_eq!(received.header("content-range"), None);
            let media_type = received.header("content-type").unwrap();
            let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
            let parts = [("8-9", "89"), ("0-1", "01")].map(|(range, text)| {
                format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{text}")
            });
            assert_eq!(received.text(), format!("{}\r\n--{boundary}--\r\n", parts.concat()));
            assert_eq!(received.header("content-length"), Some(received.text().len().to_string()));
        }
    }
}

#[tokio::test]
async fn conditions() {
    let dated = || stored().says("date", "{0}").says("last-modified", "{-100}");
    let if_range = |condition: &'static str| part("bytes=0-1").sends("if-range", condition);
    run([
        case("the strong tag", [dated(), if_range("\"a\"").hit().status(206).body("01")]),
        case("another tag", [dated(), if_range("\"b\"").hit().status(200).body(DIGITS)]),
        case(
            "the date",
            [dated(), if_range("{-100}").after(1).hit().status(200), if_range("{-101}").hit().status(206)],
        ),
        case("a later date", [dated(), if_range("{-99}").hit().status(200)]),
        case("nonsense", [dated(), if_range("a").hit().status(200)]),
        case(
            "a weak tag",
            [
                get().says("cache-control", "max-age=60").says("etag", "W/\"a\"").says_body(DIGITS),
                if_range("W/\"a\"").hit().status(200),
                if_range("\"a\"").hit().status(200),
                part("bytes=0-1").hit().status(206),
            ],
        ),
        case(
            "a date that may be of two versions",
            [stored().says("date", "{0}").says("last-modified", "{0}"), if_range("{0}").hit().status(200)],
        ),
        case(
            "a condition that does not hold keeps 416 away",
            [dated(), part("bytes=20-").sends("if-range", "\"b\"").hit().status(200)],
        ),
        case(
            "without Range it means nothing",
            [dated(), get().sends("if-range", "\"b\"").hit().status(200).body(DIGITS)],
        ),
        case(
            "other conditions go before",
            [
                dated(),
                part("bytes=0-1").sends("if-none-match", "\"a\"").hit().status(304).lacks("content-range"),
                part("bytes=0-1").sends("if-none-match", "\"b\"").hit().status(206).body("01"),
                part("bytes=0-1").sends("if-modified-since", "{-100}").hit().status(304),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_has_no_parts() {
    run([
        case(
            "HEAD",
            [
                stored(),
                method("HEAD")
                    .sends("range", "bytes=0-1")
                    .hit()
                    .status(200)
                    .lacks("content-range")
                    .has("content-length", "10"),
                method("HEAD").path("/other").sends("range", "bytes=0-1").handler_got_no("range").status(200),
            ],
        ),
        case(
            "another status",
            [
                get().says_status(404).says("cache-control", "max-age=60").says_body(DIGITS),
                part("bytes=0-1").hit().status(404).body(DIGITS),
            ],
        ),
        case(
            "units that only the handler knows",
            [
                stored(),
                part("items=0-1")
                    .says_status(206)
                    .asked()
                    .status(206)
                    .handler_got("range", "items=0-1")
                    .cache_status("fwd=partial"),
                get().hit(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_part_of_what_is_not_stored_fetches_the_whole() {
    let again = |range| part(range).asked().handler_got("range", range);
    run([
        case(
            "it is stored, and answers all",
            [
                stored()
                    .sends("range", "bytes=2-3")
                    .sends("if-range", "\"a\"")
                    .asked()
                    .handler_got_no("range")
                    .handler_got_no("if-range")
                    .status(206)
                    .has("content-range", "bytes 2-3/10")
                    .body("23")
                    .cache_status("fwd=uri-miss; fwd-status=200; stored"),
                part("bytes=-1").hit().status(206).body("9"),
                get().hit().status(200).body(DIGITS),
            ],
        ),
        case(
            "416",
            [
                stored().sends("range", "bytes=10-").asked().status(416).cache_status("fwd-status=200"),
                get().hit().body(DIGITS),
            ],
        ),
        case(
            "what is stale is revalidated",
            [
                stored(),
                part("bytes=0-1")
                    .after(61)
                    .says_status(304)
                    .says_body("")
                    .handler_got_no("range")
                    .handler_got("if-none-match", "\"a\"")
                    .status(206)
                    .body("01"),
                part("bytes=2-3").hit().body("23"),
            ],
        ),
        case(
            "a failure is replaced by a part of what is stale",
            [
                get().says("cache-control", "max-age=2, stale-if-error=60").says_body(DIGITS),
                part("bytes=0-1")
                    .after(3)
                    .says_status(503)
                    .says_body("failure")
                    .status(206)
                    .body("01")
                    .has("cache-status", "larder; fwd=stale; fwd-status=503; ttl=-1"),
                // Within the same second: what is kept of the headers of one answer is not said in the next one.
                part("bytes=1-2")
                    .says_status(500)
                    .says_body("failure")
                    .status(206)
                    .has("content-range", "bytes 1-2/10")
                    .has("cache-status", "larder; fwd=stale; fwd-status=500; ttl=-1"),
                get()
                    .says_status(502)
                    .says_body("failure")
                    .status(200)
                    .lacks("content-range")
                    .body(DIGITS)
                    .has("cache-status", "larder; fwd=stale; fwd-status=502; ttl=-1"),
                part("bytes=99-")
                    .says_status(504)
                    .says_body("failure")
                    .status(416)
                    .has("cache-status", "larder; fwd=stale; fwd-status=504; ttl=-1"),
                part("bytes=0-1")
                    .says("cache-control", "max-age=60")
                    .says_body(DIGITS)
                    .status(206)
                    .has("cache-status", "larder; fwd=stale; fwd-status=200; stored"),
            ],
        ),
        case(
            "other statuses are passed on",
            [part("bytes=0-1").says_status(404).says_body(DIGITS).status(404).body(DIGITS)],
        ),
        case(
            "what may not be stored has parts, and then the handler is asked for them",
            [
                get()
                    .says("cache-control", "private")
                    .says_body(DIGITS)
                    .sends("range", "bytes=0-1")
                    .handler_got_no("range")
                    .status(206)
                    .body("01"),
                again("bytes=0-1")
                    .says_status(206)
                    .says_body("01")
                    .says("content-range", "bytes 0-1/10")
                    .status(206)
                    .body("01")
                    .cache_status("fwd=partial"),
            ],
        ),
        case(
            "the same for what is too large",
            [
                stored()
                    .sends("range", "bytes=2-3")
                    .handler_got_no("range")
                    .status(206)
                    .has("content-range", "bytes 2-3/10")
                    .has("content-length", "2")
                    .body("23"),
                again("bytes=2-3").after(599).says_status(206).says_body("23").status(206),
                stored().after(2).sends("range", "bytes=2-3").handler_got_no("range"),
                stored(),
                part("bytes=8-").hit().status(206).body("89"),
            ],
        )
        .configured(|cache| cache.range_fetch(9)),
        case(
            "a part that begins beyond what is fetched",
            [
                again("bytes=9-").says_status(206),
                stored().sends("range", "bytes=8-").handler_got_no("range").status(206).body("89"),
            ],
        )
        .configured(|cache| cache.range_fetch(9)),
        case(
            "what is stored is replaced by the whole, however large",
            [
                stored(),
                part("bytes=0-1")
                    .after(61)
                    .asked()
                    .says("cache-control", "max-age=60")
                    .says_body("abcdefghijkl")
                    .handler_got_no("range")
                    .status(206)
                    .body("ab"),
                get().hit().body("abcdefghijkl"),
            ],
        )
        .configured(|cache| cache.range_fetch(1)),
        case(
            "what is too large for a part is shared as the whole",
            [
                stored().sends("range", "bytes=2-3").handler_got_no("range").status(206).body("23"),
                // That goes to the handler only if no client may wait.
                stored().sends("if-none-match", "\"b\"").handler_got_no("if-none-match"),
                part("bytes=8-").hit().body("89"),
            ],
        )
        .configured(|cache| cache.range_fetch(9)),
        case("never", [again("bytes=0-1"), stored(), part("bytes=0-1").hit().status(206)])
            .configured(|cache| cache.range_fetch(0)),
        case(
            "of another variant",
            [
                stored()
                    .says("vary", "accept-encoding")
                    .says("content-encoding", "x")
                    .sends("accept-encoding", "x"),
                stored()
                    .says("vary", "accept-encoding")
                    .says("etag", "\"b\"")
                    .says_body("abcdef")
                    .sends("range", "bytes=0-1")
                    .asked()
                    .status(206)
                    .body("ab"),
                part("bytes=0-1")
                    .sends("accept-encoding", "x")
                    .hit()
                    .status(206)
                    .has("content-encoding", "x")
                    .body("01"),
                part("bytes=4-")
                    .hit()
                    .status(206)
                    .lacks("content-encoding")
                    .has("content-range", "bytes 4-5/6")
                    .body("ef"),
            ],
        ),
    ])
    .await;
}

/// Parts with `Authorization` or `Cookie` are no more shared than the whole.
#[tokio::test]
async fn no_client_gets_a_part_of_anothers_response() {
    let mut cases = Vec::new();
    for (name, alice, bob) in [("authorization", "alice", "bob"), ("cookie", "id=alice", "id=bob")] {
        cases.push(case(
            name,
            [
                stored().sends(name, alice).sends("range", "bytes=0-1").asked().body("01"),
                stored().says_body("abcdefghij").sends(name, bob).sends("range", "bytes=0-1").asked(),
                get().sends(name, bob).asked(),
            ],
        ));
    }
    run(cases).await;
}

#[tokio::test]
async fn requests_for_parts_wait_for_one_whole() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Said::new(&[("cache-control", "max-age=60")], DIGITS)
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        let callers: Vec<_> = (0..10)
            .map(|n| {
                tokio::spawn(async move { ask(address, "/", &[("range", &format!("bytes={n}-{n}"))]).await })
            })
            .collect();
        for (n, caller) in callers.into_iter().enumerate() {
            let received = caller.await.unwrap();
            assert_eq!((received.status, received.text()), (206, n.to_string()), "{framework:?}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{framework:?}");
    }
}

/// The client has its part while the rest is on its way, and goes away; the whole is stored nevertheless.
#[tokio::test]
async fn a_part_of_a_stream() {
    for framework in Framework::ALL {
        for keep in [Duration::from_secs(30), Duration::ZERO] {
            let streams = Streams::default();
            let handler = streams.handler(&[("cache-control", "max-age=60"), ("content-length", "10")]);
            let cache: HttpCache = http_cache(&TestClock::new()).disconnect_grace(keep);
            let server = framework.serve(cache, handler).await;
            let address = server.address;
            let asking = tokio::spawn(open(address, request("GET", "/", &[("range", "bytes=2-5")])));
            eventually("the handler is called", async || streams.begun() == 1).await;
            let stream = streams.take(0);
            stream.send(Ok("0123".into())).unwrap();
            let response = asking.await.unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["content-range"]),
                (206, &"bytes 2-5/10".parse().unwrap())
            );
            assert_eq!(response.headers()["content-length"], "4");
            let mut body = response.into_body();
            assert_eq!(chunk(&mut body).await.unwrap(), "23");
            stream.send(Ok("456".into())).unwrap();
            assert_eq!(chunk(&mut body).await.unwrap(), "45");
            assert_eq!(chunk(&mut body).await, None);
            drop(body);
            stream.send(Ok("789".into())).unwrap();
            drop(stream);
            eventually("it is stored", async || {
                ask(address, "/", &[("range", "bytes=9-"), ("cache-control", "only-if-cached")]).await.status
                    == 206
            })
            .await;
            assert_eq!(streams.begun(), 1, "{framework:?}");
        }
    }
}

/// Without a length there is no `Content-Range`: the request waits for the end.
#[tokio::test]
async fn a_part_of_a_stream_of_unknown_length() {
    for framework in Framework::ALL {
        let streams = Streams::default();
        let handler = streams.handler(&[("cache-control", "max-age=60")]);
        let server = framework.serve(http_cache(&TestClock::new()).max_body(20), handler).await;
        let address = server.address;
        for (path, range, text, expected, status) in [
            ("/a", "bytes=-2", DIGITS, "89", 206),
            ("/b", "bytes=1-2", "more than is stored of any", "more than is stored of any", 200),
        ] {
            let (begun, asking) =
                (streams.begun(), tokio::spawn(async move { ask(address, path, &[("range", range)]).await }));
            eventually("the handler is called", async || streams.begun() > begun).await;
            let stream = streams.take(begun);
            let (first, second) = text.split_at(5);
            stream.send(Ok(first.to_owned().into())).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.send(Ok(second.to_owned().into())).unwrap();
            drop(stream);
            let received = asking.await.unwrap();
            assert_eq!(
                (received.status, received.text()),
                (status, expected.to_owned()),
                "{framework:?}: {received:?}"
            );
        }
        assert!(ask(address, "/a", &[]).await.is_hit(), "{framework:?}");
    }
}
