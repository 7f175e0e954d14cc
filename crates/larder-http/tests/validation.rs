//! RFC 9111, section 4.3 and RFC 9110, section 13: validation, by clients and by the cache.

mod support;

use std::{convert::Infallible, future::ready, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use support::{
    TestClock, http_cache,
    table::{Case, Step, case, get, run},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

fn fresh() -> Step {
    get().says("cache-control", "max-age=60")
}

/// A client that asks with this tag, when this one is stored.
fn tag(stored: &'static str, asked: &'static str, has_it: bool) -> Case {
    let again = get().sends("if-none-match", asked).hit();
    let again =
        if has_it { again.status(304).body("").has("etag", stored) } else { again.status(200).body("body") };
    case(asked, [fresh().says("etag", stored), again])
}

#[tokio::test]
async fn entity_tags_of_clients() {
    run([
        tag("\"abc\"", "\"abc\"", true),
        tag("\"abc\"", "\"abd\"", false),
        tag("\"abc\"", "W/\"abc\"", true),
        tag("W/\"abc\"", "\"abc\"", true),
        tag("W/\"abc\"", "W/\"abc\"", true),
        tag("\"abc\"", "*", true),
        tag("\"abc\"", "\"abc\", \"1\", \"2\"", true),
        tag("\"abc\"", "\"1\", \"abc\", \"2\"", true),
        tag("\"abc\"", "\"1\",\"2\",W/\"abc\"", true),
        tag("\"a,b\"", "\"1\", \"a,b\"", true),
        tag("\"b\"", "\"a,b\"", false),
        tag("\"abc\"", "abc", false),
        tag("\"abcdef\u{fc}\"", "\"abcdef\u{fc}\"", true),
        case(
            "on two lines",
            [
                fresh().says("etag", "\"a\""),
                get().sends("if-none-match", "\"b\"").sends("if-none-match", "\"a\"").hit().status(304),
            ],
        ),
        case(
            "a 304 has what it must have, and nothing of the body",
            [
                fresh()
                    .says("etag", "\"a\"")
                    .says("vary", "foo")
                    .says("content-location", "/x")
                    .says("expires", "{9}")
                    .says("content-type", "text/plain")
                    .says("content-language", "en"),
                get()
                    .after(1)
                    .sends("if-none-match", "\"a\"")
                    .hit()
                    .status(304)
                    .has("etag", "\"a\"")
                    .has("vary", "foo")
                    .has("content-location", "/x")
                    .has("date", "{-1}")
                    .has("cache-control", "max-age=60")
                    .has("expires", "{8}")
                    .has("age", "1")
                    .lacks("content-type")
                    .lacks("content-length")
                    .lacks("content-language"),
            ],
        ),
        case(
            "HEAD too",
            [
                fresh().says("etag", "\"a\""),
                support::table::method("HEAD").sends("if-none-match", "\"a\"").hit().status(304),
            ],
        ),
        case(
            "only of a success",
            [
                fresh().says_status(404).says("etag", "\"a\""),
                get().sends("if-none-match", "\"a\"").hit().status(404),
            ],
        ),
        case(
            "before the date: it decides alone",
            [
                fresh().says("etag", "\"a\"").says("last-modified", "{-5000}"),
                get().sends("if-none-match", "\"a\"").sends("if-modified-since", "{-9000}").hit().status(304),
                get().sends("if-none-match", "\"b\"").sends("if-modified-since", "{0}").hit().status(200),
            ],
        ),
        case(
            "a first request is answered too",
            [
                fresh()
                    .sends("if-none-match", "\"a\"")
                    .says("etag", "\"a\"")
                    .status(304)
                    .handler_got_no("if-none-match"),
                get().hit().status(200).body("body"),
            ],
        ),
        case(
            "also where nothing is stored",
            [get()
                .sends("if-none-match", "\"a\"")
                .says("cache-control", "private")
                .says("etag", "\"a\"")
                .status(304)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn tags_made_here() {
    run([
        case(
            "are strong, and stay",
            [
                fresh().has("etag", "\"6d912352852630958df68acad71e39c7\""),
                get().hit().has("etag", "\"6d912352852630958df68acad71e39c7\""),
                get().sends("if-none-match", "\"6d912352852630958df68acad71e39c7\"").hit().status(304),
            ],
        ),
        case(
            "mean nothing to the handler",
            [fresh(), get().after(61).asked().handler_got_no("if-none-match")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn dates_of_clients() {
    run([
        case(
            "unchanged",
            [
                fresh().says("last-modified", "{-3000}"),
                get().sends("if-modified-since", "{-3000}").hit().status(304),
            ],
        ),
        case(
            "changed earlier",
            [
                fresh().says("last-modified", "{-3000}"),
                get().sends("if-modified-since", "{-2000}").hit().status(304),
            ],
        ),
        case(
            "changed later",
            [
                fresh().says("last-modified", "{-3000}"),
                get().sends("if-modified-since", "{-4000}").hit().status(200),
            ],
        ),
        case(
            "no date of a change: that of the response",
            [
                fresh(),
                get().after(5).sends("if-modified-since", "{-6}").hit().status(200),
                get().sends("if-modified-since", "{-5}").hit().status(304),
            ],
        ),
        case(
            "no date at all",
            [
                fresh().says("last-modified", "{-3000}"),
                get().sends("if-modified-since", "yesterday").hit().status(200),
            ],
        ),
        case(
            "RFC 850",
            [
                fresh().says("last-modified", "Sunday, 06-Nov-94 08:49:37 GMT"),
                get().sends("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT").hit().status(304),
            ],
        ),
        case(
            "other conditions are the handler's",
            [
                fresh().says("etag", "\"a\""),
                get()
                    .sends("if-match", "\"a\"")
                    .asked()
                    .handler_got("if-match", "\"a\"")
                    .cache_status("fwd=bypass"),
                get().sends("if-unmodified-since", "{0}").asked(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn of_the_handler() {
    let stale = || get().says("cache-control", "max-age=2");
    run([
        case(
            "by tag",
            [
                stale().says("etag", "\"a\"").says_body("stored"),
                fresh()
                    .after(3)
                    .says_status(304)
                    .says("etag", "\"a\"")
                    .handler_got("if-none-match", "\"a\"")
                    .status(200)
                    .body("stored")
                    .cache_status("fwd=stale; fwd-status=304")
                    .lacks("age"),
                get().hit().body("stored"),
            ],
        ),
        case(
            "by a weak tag",
            [stale().says("etag", "W/\"a\""), get().after(3).handler_got("if-none-match", "W/\"a\"")],
        ),
        case(
            "by date",
            [
                stale().says("last-modified", "{-3000}").says_body("stored"),
                fresh()
                    .after(3)
                    .says_status(304)
                    .handler_got("if-modified-since", "{-3003}")
                    .status(200)
                    .body("stored"),
                get().hit().body("stored"),
            ],
        ),
        case(
            "in place of the client's own question",
            [
                stale().says("etag", "\"a\""),
                fresh()
                    .after(3)
                    .sends("if-none-match", "\"b\"")
                    .says_status(304)
                    .handler_got("if-none-match", "\"a\"")
                    .status(200),
                get().sends("if-none-match", "\"a\"").hit().status(304),
            ],
        ),
        case(
            "a client that has it gets a 304",
            [
                stale().says("last-modified", "{-3000}"),
                fresh().after(3).sends("if-modified-since", "{-3003}").says_status(304).status(304),
            ],
        ),
        case(
            "a new response takes the place of the old one",
            [
                stale().says("etag", "\"a\""),
                fresh().after(3).says("etag", "\"b\"").says_body("new").body("new"),
                get().hit().body("new").has("etag", "\"b\""),
            ],
        ),
        case(
            "no-cache is stored to be validated",
            [
                get().says("cache-control", "no-cache").says("etag", "\"a\"").says_body("stored"),
                get()
                    .says("cache-control", "no-cache")
                    .says_status(304)
                    .handler_got("if-none-match", "\"a\"")
                    .body("stored"),
                get()
                    .says("cache-control", "no-cache")
                    .says_status(304)
                    .handler_got("if-none-match", "\"a\"")
                    .body("stored"),
            ],
        ),
        case(
            "a 304 changes fields, of the response and stored",
            [
                stale()
                    .says("etag", "\"a\"")
                    .says("x", "1")
                    .says("y", "1")
                    .says("content-type", "text/plain")
                    .says("content-encoding", "x"),
                fresh()
                    .after(3)
                    .says_status(304)
                    .says("x", "2")
                    .says("content-type", "text/html")
                    .says("content-encoding", "y")
                    .has("x", "2")
                    .has("y", "1")
                    .has("content-type", "text/html")
                    .has("content-encoding", "x")
                    .has("content-length", "4"),
                get()
                    .hit()
                    .has("x", "2")
                    .has("y", "1")
                    .has("content-type", "text/html")
                    .has("content-encoding", "x")
                    .has("cache-control", "max-age=60"),
            ],
        ),
        case(
            "a 304 with another tag is not about what is stored",
            [
                stale().says("etag", "\"a\"").says("x", "1").says_body("stored"),
                fresh()
                    .after(3)
                    .says_status(304)
                    .says("etag", "\"b\"")
                    .says("x", "2")
                    .body("stored")
                    .has("x", "1"),
                fresh().handler_got_no("if-none-match").says_body("new").body("new"),
            ],
        ),
        case(
            "a 304 that weakens the tag is about what is stored",
            [
                stale().says("etag", "\"a\"").says_body("stored"),
                fresh().after(3).says_status(304).says("etag", "W/\"a\"").body("stored"),
                get().hit().has("etag", "\"a\""),
            ],
        ),
        case(
            "a 304's cookie is one client's",
            [
                stale().says("etag", "\"a\""),
                fresh().after(3).says_status(304).says("set-cookie", "a=b").has("set-cookie", "a=b"),
                get().hit().lacks("set-cookie"),
            ],
        ),
        case(
            "what a 304 says to be private, and does not send, was another client's",
            [
                stale().says("etag", "\"a\"").says("x-user", "A").says("x-other", "A").says("y", "1"),
                get()
                    .after(3)
                    .says_status(304)
                    .says("cache-control", "max-age=2, private=\"x-user\", no-cache=\"X-Other\"")
                    .lacks("x-user")
                    .lacks("x-other")
                    .has("y", "1"),
                get().hit().lacks("x-user").lacks("x-other").has("y", "1"),
                get()
                    .after(3)
                    .says_status(304)
                    .says("cache-control", "max-age=2, private=\"x-user, y\"")
                    .says("x-user", "B")
                    .has("x-user", "B")
                    .lacks("y"),
                get().hit().lacks("x-user").lacks("y"),
            ],
        ),
        case(
            "a 304 may forbid to store",
            [
                stale().says("etag", "\"a\"").says_body("stored"),
                get().after(3).says_status(304).says("cache-control", "private").status(200).body("stored"),
                get().asked(),
            ],
        ),
        case(
            "a 304 of a cache tells how old the response is",
            [
                get().says("cache-control", "max-age=60").says("etag", "\"a\""),
                get().after(61).says_status(304).says("age", "29").status(200).has("age", "29"),
                get().after(1).hit().has("age", "30"),
                get().after(60).says_status(304).lacks("age"),
            ],
        ),
        case(
            "a 304 may take back that a response is public",
            [
                get().says("cache-control", "public").says("etag", "\"a\""),
                get().sends("x-session", "of A").hit(),
                get().after(3).says_status(304).says("cache-control", "no-transform").status(200),
                get().hit(),
                get().sends("x-session", "of A").asked(),
            ],
        )
        .configured(|cache| cache.ttl(Duration::from_secs(2))),
        case(
            "it may, whatever the status of what is stored",
            [
                stale().says_status(503).says("etag", "\"a\"").says_body("stored"),
                get().after(3).says_status(304).says("cache-control", "private").status(503).body("stored"),
                get().asked().handler_got_no("if-none-match"),
            ],
        ),
        case(
            "must-revalidate",
            [
                get().says("cache-control", "max-age=2, must-revalidate").says("etag", "\"a\""),
                get().hit(),
                get().after(3).handler_got("if-none-match", "\"a\""),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_date_is_no_validator_of_what_was_made_just_now() {
    run([case(
        "private, without `Last-Modified`, and a client with a date ahead",
        [get()
            .sends("if-modified-since", "{5}")
            .says("cache-control", "private, no-store")
            .says_body("new")
            .status(200)
            .body("new")],
    )])
    .await;
}

/// Headers are views of the buffer that they came in over a connection: what is stored of them keeps none.
#[tokio::test]
async fn an_updated_response_keeps_no_buffer_of_its_connection() {
    let buffer = Bytes::from(vec![b'x'; 100_000]);
    for update in ["GET", "HEAD"] {
        let clock = TestClock::new();
        let views = buffer.clone();
        let cache = http_cache(&clock);
        let service = cache.layer(service_fn(move |request: Request<Empty<Bytes>>| {
            let status = if request.headers().contains_key("if-none-match") { 304 } else { 200 };
            let view = HeaderValue::from_maybe_shared(views.slice(..100)).unwrap();
            let response = Response::builder().status(status).header("cache-control", "max-age=2");
            let body = if request.method() == "HEAD" || status == 304 { "" } else { "body" };
            let response = response.header("etag", "\"a\"").header("x-view", view);
            ready(Ok::<_, Infallible>(response.header("content-length", 4).body(Full::from(body)).unwrap()))
        }));
        let ask = async |method: &str| {
            let request = Request::builder().method(method).uri("/").header("host", "a").body(Empty::new());
            let response = service.clone().oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.headers()["x-view"], "x".repeat(100));
            let status = response.headers()["cache-status"].to_str().unwrap().to_owned();
            drop(response.into_body().collect().await.unwrap());
            status
        };
        ask("GET").await;
        clock.advance(3);
        let updated = ask(update).await;
        assert!(updated.contains("fwd"), "{update} was sent on: {updated}");
        assert!(ask("GET").await.contains("; hit"), "{update} updates it");
        drop(service);
        // The cache itself has it still, and `buffer` and nothing else keeps the memory.
        assert!(buffer.is_unique(), "{update}");
        drop(cache);
    }
}
