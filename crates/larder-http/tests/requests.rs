//! RFC 9111, section 5.2.1: what requests ask for; sections 4.2.4 and 4.4: stale responses, and invalidation;
//! RFC 5861.

mod support;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use larder_http::HttpCache;
use support::table::{Case, Step, case, get, method, run};
use tower::{Layer as _, ServiceExt as _, service_fn};

fn fresh() -> Step {
    get().says("cache-control", "max-age=1500")
}

/// Whether a request with this `Cache-Control` is answered by a response that is so old.
fn asks(directives: &'static str, age: u64, is_hit: bool) -> Case {
    let again = get().after(age).sends("cache-control", directives);
    case(directives, [fresh(), if is_hit { again.hit() } else { again.asked() }])
}

#[tokio::test]
async fn directives() {
    run([
        asks("max-age=0", 1, false),
        asks("max-age=10", 5, true),
        asks("max-age=10", 11, false),
        asks("MAX-AGE=\"10\"", 11, false),
        asks("max-age=x", 1, false),
        asks("min-fresh=1000", 400, true),
        asks("min-fresh=1000", 600, false),
        asks("min-fresh=x", 1, false),
        asks("max-stale", 9999999 / 1000, true)
            .configured(|cache| cache.keep_stale(std::time::Duration::from_secs(99_999))),
        asks("max-stale=100", 1599, true),
        asks("max-stale=100", 1601, false),
        asks("max-stale=x", 1501, false),
        asks("no-cache", 1, false),
        asks("no-store", 1, false),
        asks("foo", 1, true),
        asks("no-cache", 1, true).configured(HttpCache::ignore_request_directives),
        case("Pragma means nothing", [fresh(), get().sends("pragma", "no-cache").hit()]),
        case("no-store stores nothing", [fresh().sends("cache-control", "no-store"), get().asked()]),
        case(
            "no-cache validates, and stores",
            [
                fresh().says("etag", "\"a\"").says_body("old"),
                fresh()
                    .sends("cache-control", "no-cache")
                    .says_body("new")
                    .handler_got("if-none-match", "\"a\"")
                    .body("new")
                    .cache_status("fwd=request"),
                get().hit().body("new"),
            ],
        ),
        case(
            "only-if-cached",
            [
                get().sends("cache-control", "only-if-cached").not_asked().status(504),
                fresh(),
                get().sends("cache-control", "only-if-cached").hit().status(200),
                get().after(1501).sends("cache-control", "only-if-cached").not_asked().status(504),
            ],
        ),
        case(
            "max-stale is not for what must be revalidated",
            [
                get().says("cache-control", "max-age=1, must-revalidate"),
                get().after(2).sends("cache-control", "max-stale=100").asked(),
            ],
        ),
        case(
            "nor for s-maxage",
            [
                get().says("cache-control", "s-maxage=1"),
                get().after(2).sends("cache-control", "max-stale=100").asked(),
            ],
        ),
        case(
            "nor for proxy-revalidate",
            [
                get().says("cache-control", "max-age=1, proxy-revalidate"),
                get().after(2).sends("cache-control", "max-stale=100").asked(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn stale_if_error() {
    let failing = |status| get().after(3).says_status(status).says_body("failed");
    run([
        case(
            "not by default",
            [get().says("cache-control", "max-age=2"), failing(503).status(503).body("failed")],
        ),
        case(
            "if the response allows it",
            [
                get().says("cache-control", "max-age=2, stale-if-error=10"),
                failing(500).status(200).body("body").cache_status("fwd=stale; fwd-status=500"),
                failing(503).status(200),
                failing(404).status(404),
            ],
        ),
        case(
            "not after its time",
            [
                get().says("cache-control", "max-age=2, stale-if-error=10"),
                get().after(13).says_status(500).status(500),
            ],
        ),
        case(
            "if the request allows it",
            [
                get().says("cache-control", "max-age=2").says("etag", "\"a\""),
                failing(500).sends("cache-control", "stale-if-error=10").status(200),
                get().after(20).says_status(500).sends("cache-control", "stale-if-error=10").status(500),
            ],
        ),
        case(
            "not if it must be revalidated",
            [
                get().says("cache-control", "max-age=2, must-revalidate, stale-if-error=10"),
                failing(500).status(500),
            ],
        ),
        case(
            "other statuses by choice",
            [
                get().says("cache-control", "max-age=2, stale-if-error=10"),
                failing(429).status(200).body("body").cache_status("fwd=stale; fwd-status=429"),
                failing(501).status(200),
                failing(503).status(503),
            ],
        )
        .configured(|cache| cache.stale_if_error_statuses([429, 501])),
        case(
            "none by choice",
            [get().says("cache-control", "max-age=2, stale-if-error=10"), failing(500).status(500)],
        )
        .configured(|cache| cache.stale_if_error_statuses([])),
        case(
            "a chosen status is no permission",
            [
                get().says("cache-control", "max-age=2, must-revalidate, stale-if-error=10"),
                failing(429).status(429),
                get().says("cache-control", "max-age=2"),
                failing(429).status(429),
            ],
        )
        .configured(|cache| cache.stale_if_error_statuses([429])),
        case(
            "nor with no-cache",
            [
                get().says("cache-control", "no-cache, stale-if-error=10").says("etag", "\"a\""),
                failing(500).status(500),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn stale_while_revalidate() {
    run([
        case(
            "while the window is open",
            [
                get().says("cache-control", "max-age=2, stale-while-revalidate=10").says_body("old"),
                get()
                    .after(5)
                    .says("cache-control", "max-age=60")
                    .says_body("new")
                    .body("old")
                    .cache_status("hit; ttl=-3")
                    .has("age", "5"),
            ],
        ),
        case(
            "not after it",
            [
                get().says("cache-control", "max-age=2, stale-while-revalidate=10").says_body("old"),
                get().after(12).says_body("new").asked().body("new"),
            ],
        ),
        case(
            "not if it must be revalidated",
            [
                get()
                    .says("cache-control", "max-age=2, stale-while-revalidate=10, must-revalidate")
                    .says_body("old"),
                get().after(5).says_body("new").asked().body("new"),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn invalidation() {
    let mut cases = Vec::new();
    for unsafe_method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        let change = || method(unsafe_method);
        cases.push(case(unsafe_method, [fresh(), change().asked(), get().asked()]));
        cases.push(case("redirected", [fresh(), change().says_status(303), get().asked()]));
        cases.push(case("failed", [fresh(), change().says_status(500), get().hit()]));
        cases.push(case("refused", [fresh(), change().says_status(403), get().hit()]));
        for field in ["location", "content-location"] {
            let there = |at: &'static str, reference: &'static str| {
                case(
                    reference,
                    [fresh().path(at), change().path("/a/b").says(field, reference), get().path(at).asked()],
                )
            };
            let elsewhere = |reference: &'static str| {
                case(reference, [fresh(), change().path("/a/b").says(field, reference), get().hit()])
            };
            cases.push(there("/page", "/page"));
            cases.push(there("/page", "http://example.com/page"));
            cases.push(there("/page", "https://EXAMPLE.com:443/page#top"));
            cases.push(there("/page", "//example.com/page"));
            cases.push(there("/a/page", "page"));
            cases.push(there("/page", "../page"));
            cases.push(there("/page", "https://example.com/a/./../page"));
            cases.push(there("/a/b?x=1", "?x=1"));
            cases.push(elsewhere("http://example.org/page"));
            cases.push(elsewhere("http://example.com.evil/page"));
            cases.push(elsewhere("http://example.com@evil/page"));
            cases.push(elsewhere("/page?x=1"));
        }
    }
    // Safe, although they are not stored.
    for safe in ["QUERY", "PROPFIND", "REPORT", "SEARCH", "OPTIONS", "TRACE"] {
        cases.push(case(safe, [fresh(), method(safe).asked(), get().hit()]));
    }
    cases.push(case(
        "all variants",
        [
            fresh().says("vary", "foo").sends("foo", "1"),
            fresh().says("vary", "foo").sends("foo", "2"),
            method("POST"),
            get().sends("foo", "1").asked(),
            get().sends("foo", "2").asked(),
        ],
    ));
    cases.push(case(
        "another query stays",
        [fresh().path("/page?x=1"), method("POST"), get().path("/page?x=1").hit()],
    ));
    cases.push(case(
        "what is under it stays",
        [fresh().path("/page/1"), method("POST"), get().path("/page/1").hit()],
    ));
    cases.push(
        case("also where it is skipped", [fresh(), method("POST").sends("x-skip", "1"), get().asked()])
            .configured(|cache| cache.skip_if(|request| request.headers.contains_key("x-skip"))),
    );
    run(cases).await;
}

/// So do WebSockets of HTTP/2 begin.
#[tokio::test]
async fn a_tunnel_drops_nothing() {
    let answer = |_: Request<Empty<Bytes>>| async {
        Response::builder().header("cache-control", "max-age=60").body(Full::<Bytes>::from("x"))
    };
    let service = support::http_cache(&support::TestClock::new()).layer(service_fn(answer));
    let status = async |method: &str| {
        let request = Request::builder().method(method).uri("http://example.com/socket");
        let response = service.clone().oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
        response.headers()["cache-status"].to_str().unwrap().to_owned()
    };
    assert!(status("GET").await.contains("stored"));
    assert_eq!(status("CONNECT").await, "larder; fwd=method");
    assert!(status("GET").await.contains("hit"));
}

#[tokio::test]
async fn only_if_cached_never_asks_the_handler() {
    let varying = |vary| get().says("cache-control", "max-age=60").says("vary", vary);
    run([case(
        "more variants than are looked at",
        [
            varying("a").sends("a", "1"),
            varying("a, b").sends("a", "2").sends("b", "1"),
            varying("a, b, c").sends("a", "2").sends("b", "2").sends("c", "1"),
            varying("a, b, c, d").sends("a", "2").sends("b", "2").sends("c", "2").sends("d", "1"),
            get()
                .sends("a", "2")
                .sends("b", "2")
                .sends("c", "2")
                .sends("d", "2")
                .sends("cache-control", "only-if-cached")
                .not_asked()
                .status(504),
        ],
    )])
    .await;
}

#[tokio::test]
async fn a_504_of_the_caches_own_was_not_forwarded() {
    run([case(
        "nothing is stored",
        [get()
            .sends("cache-control", "only-if-cached")
            .status(504)
            .not_asked()
            .cache_status("larder; detail=only-if-cached")],
    )])
    .await;
}

/// A pass is remembered for ten seconds; what the handler said to one who revalidated his copy is no refusal.
#[tokio::test]
async fn a_304_for_a_client_does_not_prolong_a_pass() {
    let asks =
        || get().sends("if-none-match", "\"a\"").says("etag", "\"a\"").says("cache-control", "max-age=60");
    run([case(
        "an error, then clients who revalidate",
        [
            get().says_status(500).asked(),
            asks().after(6).says_status(304).says_body("").asked(),
            asks().after(6).handler_got_no("if-none-match"),
        ],
    )])
    .await;
}

/// Where the user says that clients decide nothing, they make no handler work for what is stored, and get no copies.
#[tokio::test]
async fn clients_decide_nothing() {
    let odd = [
        ("cache-control", "no-store"),
        ("cache-control", "max-age=0, no-cache; x"),
        ("cache-control", "only-if-cached"),
        ("range", "bytes=0-1"),
        ("range", "nonsense"),
        ("if-range", "\"x\""),
        ("if-match", "\"x\""),
        ("if-unmodified-since", "{-1000}"),
        ("upgrade", "websocket"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "nothttps"),
        ("x-forwarded-prefix", "/evil"),
        ("x-http-method-override", "DELETE"),
        ("forwarded", "for=1.2.3.4;host=evil.example"),
        ("user-agent", "x"),
    ];
    let mut cases = Vec::new();
    for (name, value) in odd {
        cases.push(
            case(name, [fresh(), get().sends(name, value).hit().status(200).body("body"), get().hit()])
                .configured(HttpCache::ignore_request_directives),
        );
        // What it would be made from is not what only the handler can tell apart.
        if !matches!(name, "cache-control" | "upgrade" | "user-agent") {
            cases.push(
                case(name, [fresh().sends(name, value).handler_got_no(name), get().hit()])
                    .configured(HttpCache::ignore_request_directives),
            );
        }
    }
    cases.push(
        case(
            "what a proxy says reaches the handler, and is told apart",
            [
                fresh().sends("x-forwarded-host", "one").handler_got("x-forwarded-host", "one"),
                get().sends("x-forwarded-host", "one").hit(),
                get().asked(),
            ],
        )
        .configured(|cache| cache.ignore_request_directives().trust_proxy()),
    );
    run(cases).await;
}

/// A request with a body gets what is stored, and makes nothing that others get.
#[tokio::test]
async fn a_body_where_none_is_expected() {
    use support::{Said, TestClock, client::get as ask, handler, http_cache, servers::Framework};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for framework in Framework::ALL {
        let cache = http_cache(&TestClock::new()).ignore_request_directives();
        let said = handler(|_| std::future::ready(Said::new(&[("cache-control", "max-age=60")], "page")));
        let server = framework.serve(cache, said).await;
        let fat = async |length: &str| {
            let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
            let request = format!(
                "GET /page HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\ncontent-length: {length}\r\n\r\nevil"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut text = Vec::new();
            drop(stream.read_to_end(&mut text).await);
            String::from_utf8(text).unwrap()
        };
        assert!(fat("4").await.contains("larder; fwd=bypass"), "{framework:?}");
        let miss = ask(server.address, "/page", &[]).await.cache_status();
        assert_eq!(miss, "larder; fwd=uri-miss; stored", "{framework:?}");
        for length in ["4", "00"] {
            let answer = fat(length).await;
            assert!(answer.contains("larder; hit"), "{framework:?}: {answer}");
        }
    }
}

/// RFC 9111, section 5.2.2.10.
#[tokio::test]
async fn s_maxage_forbids_to_serve_stale() {
    let mut cases = Vec::new();
    for shared in ["s-maxage=2", "s-maxage=2, proxy-revalidate", "max-age=2, must-revalidate"] {
        for extension in ["stale-while-revalidate=60", "stale-if-error=60"] {
            let says: &'static str = format!("{shared}, {extension}").leak();
            let stale = || get().after(5).says_status(503).says_body("failure");
            let old = || get().says("cache-control", says).says_body("old");
            cases.push(case(says, [old(), stale().asked().status(503)]));
            let extended = if shared == "s-maxage=2" {
                stale().body("old").status(200)
            } else {
                stale().asked().status(503)
            };
            cases.push(case(says, [old(), extended]).configured(HttpCache::extend_s_maxage));
        }
    }
    run(cases).await;
}

/// A cache in front takes what declares nothing for a response to all clients: so what may be for its client only says so.
#[tokio::test]
async fn what_goes_past_the_cache_and_may_be_personal_is_private() {
    let silent = |name| get().sends(name, "1").asked().has("cache-control", "private");
    let configured = |cache: HttpCache| cache.ttl(std::time::Duration::from_secs(60));
    let steps = || {
        [
            get().sends("cookie", "session=1").asked().has("cache-control", "private"),
            method("HEAD").sends("cookie", "session=1").says_body("").asked().has("cache-control", "private"),
            get().asked().lacks("cache-control"),
            get()
                .sends("cookie", "session=1")
                .says("cache-control", "max-age=1")
                .has("cache-control", "max-age=1"),
        ]
    };
    run([
        case("by configuration", steps()).configured(|cache| cache.skip_if(|_| true)),
        case("by its own directive", steps().map(|step| step.sends("cache-control", "no-store"))),
        case("HEAD", [method("HEAD").sends("cookie", "a=1").says_body("").has("cache-control", "private")]),
        case("QUERY", [method("QUERY").sends("cookie", "a=1").asked().has("cache-control", "private")]),
        case("refused", ["authorization", "cookie", "x-user"].map(silent)).configured(configured),
        case(
            "a stream",
            ["authorization", "cookie", "x-user"]
                .map(|name| silent(name).says("content-type", "text/event-stream")),
        )
        .configured(configured),
    ])
    .await;
}
