//! RFC 9111, sections 3 and 5.2.2: what may be stored, and of it what; RFC 9110, section 9.2 and 14.

mod other_caches;
#[path = "../support/mod.rs"]
mod support;

use larder_http::HttpCache;
use support::table::{Case, Step, case, get, method, run};

/// Whether a response with this `Cache-Control` answers the next request.
fn next(cache_control: &'static str, is_hit: bool) -> Case {
    let again = get().after(1);
    let again = if is_hit { again.hit() } else { again.asked() };
    case(cache_control, [get().says("cache-control", cache_control).asked(), again])
}

#[tokio::test]
async fn directives() {
    run([
        next("no-store, max-age=60", false),
        next("max-age=60, No-StOrE", false),
        next("no-store =, max-age=60", false),
        next("no-store=\"x\", max-age=60", false),
        next("private, max-age=60", false),
        next("PRIVATE, max-age=60", false),
        next("private=\"\", max-age=60", false),
        next("private=\"a b\", max-age=60", false),
        next("private=\"x-user\", max-age=60", true),
        next("no-cache, max-age=60", false),
        next("No-CaChE, max-age=60", false),
        next("no-cache=, max-age=60", false),
        next("no-cache=\"x-user\", max-age=60", true),
        next("public, max-age=60", true),
        next("public", false),
        next("must-revalidate, max-age=60", true),
        next("immutable, max-age=60", true),
        next("must-understand, no-store, max-age=60", true),
        next("must-understand, max-age=60", true),
        case(
            "must-understand, of a status that is not",
            [
                get().says_status(299).says("cache-control", "must-understand, no-store, max-age=60"),
                get().asked(),
            ],
        ),
        case(
            "must-understand forbids, however it is written",
            [
                get().says_status(299).says("cache-control", "must-understand=1, max-age=60"),
                get().asked().says_status(299).says("cache-control", "must-understand; x, max-age=60"),
                get().asked(),
            ],
        ),
        case(
            "what is not stored shows that what is stored is no longer so",
            [
                get().says("cache-control", "max-age=60").says_body("old"),
                get().sends("cache-control", "no-cache").says("cache-control", "no-store").body("body"),
                get().asked().body("body"),
            ],
        ),
        case(
            "unless it is only for who asked",
            [
                get().says("cache-control", "max-age=60").says_body("old"),
                get().sends("cache-control", "no-cache").sends("cookie", "a=b").body("body"),
                get().hit().body("old"),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn authorization() {
    let authorized = |says: &'static str, is_hit: bool| {
        let again = get();
        let again = if is_hit { again.hit() } else { again.asked() };
        case(says, [get().sends("authorization", "Bearer a").says("cache-control", says).asked(), again])
    };
    run([
        authorized("max-age=60", false),
        authorized("max-age=60, public", true),
        authorized("s-maxage=60", true),
        authorized("max-age=60, must-revalidate", true),
        authorized("max-age=60, proxy-revalidate", false),
        authorized("public, private, max-age=60", false),
        case(
            "what was stored for no client in particular is for any, if the handler said so",
            [get().says("cache-control", "max-age=60"), get().sends("authorization", "Bearer a").hit()],
        ),
    ])
    .await;
}

/// What is not written as the RFC has it permits nothing, fresh or stale.
#[tokio::test]
async fn malformed_permissions() {
    let mut cases = Vec::new();
    for (name, alice, bob) in
        [("authorization", "Bearer alice", "Bearer bob"), ("cookie", "session=alice", "session=bob")]
    {
        for permission in [
            "s-maxage=60s",
            "s-maxage=\"60\"",
            "public=bad",
            "public =",
            "public; x=1",
            "x=\"a, public",
            "public, x=\"a",
            "s-maxage=60, s-maxage=61",
            "must-revalidate=x",
        ] {
            for extension in ["max-age=60", "stale-while-revalidate=600", "stale-if-error=600"] {
                let says: &'static str = format!("{permission}, {extension}").leak();
                let again = |step: Step| step.says_status(503).says_body("failure").body("failure");
                cases.push(case(
                    says,
                    [
                        get().sends(name, alice).says("cache-control", says).says_body("alice's").asked(),
                        again(get().after(1)),
                        again(get().sends(name, bob)),
                        again(get().sends(name, alice)),
                    ],
                ));
            }
        }
    }
    let forbidden = ["private; x=1", "no-store; foo=1", "public; private", "x=\"a, private=\"b\""];
    cases.extend(forbidden.map(|says| {
        let says: &'static str = format!("{says}, max-age=60").leak();
        case(says, [get().says("cache-control", says).asked(), get().asked()])
    }));
    run(cases).await;
}

#[tokio::test]
async fn cookies() {
    let cookied = |says: &'static str, is_hit: bool| {
        let again = get().sends("cookie", "session=2");
        let again = if is_hit { again.hit() } else { again.asked() };
        case(says, [get().sends("cookie", "session=1").says("cache-control", says).asked(), again])
    };
    run([
        cookied("max-age=60", false),
        cookied("max-age=60, must-revalidate", false),
        cookied("max-age=60, public", true),
        cookied("s-maxage=60", true),
        cookied("max-age=60", true).configured(HttpCache::ignore_cookies),
        case(
            "Vary tells them apart",
            [
                get().sends("cookie", "session=1").says("cache-control", "max-age=60").says("vary", "cookie"),
                get().sends("cookie", "session=1").hit(),
                get().sends("cookie", "session=2").asked(),
            ],
        ),
        case(
            "what sets a cookie is not stored",
            [
                get().says("cache-control", "max-age=60").says("set-cookie", "a=b").has("set-cookie", "a=b"),
                get().asked(),
            ],
        ),
        case(
            "unless asked for",
            [
                get().says("cache-control", "max-age=60").says("set-cookie", "a=b"),
                get().hit().has("set-cookie", "a=b"),
            ],
        )
        .configured(HttpCache::store_set_cookie),
    ])
    .await;
}

#[tokio::test]
async fn fields() {
    let fresh = || get().says("cache-control", "max-age=60");
    run([
        case(
            "what the connection names is not stored",
            [
                fresh().says("connection", "a, b").says("a", "1").says("b", "2").says("c", "3"),
                get().hit().lacks("a").lacks("b").has("c", "3"),
            ],
        ),
        case(
            "hop by hop",
            [
                fresh()
                    .says("keep-alive", "1")
                    .says("proxy-authenticate", "x")
                    .says("te", "x")
                    .says("upgrade", "x"),
                get().hit().lacks("keep-alive").lacks("proxy-authenticate").lacks("te").lacks("upgrade"),
            ],
        ),
        case(
            "no-cache names fields",
            [
                get()
                    .says("cache-control", "no-cache=\"a, b\", max-age=60")
                    .says("a", "1")
                    .says("b", "2")
                    .says("c", "3")
                    .has("a", "1"),
                get().hit().lacks("a").lacks("b").has("c", "3"),
            ],
        ),
        case(
            "private names fields",
            [
                get()
                    .says("cache-control", "private=\"a\", max-age=60")
                    .says("a", "1")
                    .says("c", "3")
                    .has("a", "1"),
                get().hit().lacks("a").has("c", "3"),
            ],
        ),
        case(
            "several lines of a field",
            [fresh().says("link", "a").says("link", "b"), get().hit().has("link", "a, b")],
        ),
        case("bytes that are no text", [fresh().says("x", "caf\u{e9}"), get().hit().has("x", "caf\u{e9}")]),
    ])
    .await;
}

#[tokio::test]
async fn methods() {
    let fresh = |step: support::table::Step| step.says("cache-control", "max-age=60");
    run([
        case(
            "HEAD is answered from GET",
            [
                fresh(get()).says_body("12345"),
                method("HEAD").hit().status(200).body("").has("content-length", "5"),
            ],
        ),
        case(
            "HEAD itself is not stored",
            [fresh(method("HEAD")).asked(), method("HEAD").asked(), get().asked()],
        ),
        case("POST is not stored", [fresh(method("POST")), get().asked()]),
        case("OPTIONS is not stored", [fresh(method("OPTIONS")), method("OPTIONS").asked()]),
        case("safe methods invalidate nothing", [fresh(get()), method("OPTIONS"), get().hit()]),
        case(
            "a GET with a body has an answer of its own",
            [fresh(get()).sends("content-length", "0"), get().hit()],
        ),
        case(
            "HEAD freshens what is stored",
            [
                get().says("cache-control", "max-age=2").says("etag", "\"a\"").says("x", "1"),
                method("HEAD")
                    .after(3)
                    .says("cache-control", "max-age=60")
                    .says("etag", "\"a\"")
                    .says("x", "2")
                    .asked(),
                get().hit().has("x", "2").body("body"),
            ],
        ),
        case(
            "HEAD shows that what is stored is outdated",
            [
                get().says("cache-control", "max-age=60").says("etag", "\"a\""),
                method("HEAD").sends("cache-control", "no-cache").says("etag", "\"b\"").asked(),
                get().asked(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_key() {
    let fresh = |path| get().path(path).says("cache-control", "max-age=60");
    run([
        case("the query counts", [fresh("/a?x=1"), get().path("/a?x=2").asked(), get().path("/a").asked()]),
        case("an empty query counts", [fresh("/a?"), get().path("/a").asked()]),
        case("the same query", [fresh("/a?x=1&y=2"), get().path("/a?x=1&y=2").hit()]),
        case("the order counts", [fresh("/a?x=1&y=2"), get().path("/a?y=2&x=1").asked()]),
        case("unless sorted", [fresh("/a?x=1&y=2"), get().path("/a?y=2&x=1").hit()])
            .configured(HttpCache::sort_query),
        case("but not within a name", [fresh("/a?x=1&x=2"), get().path("/a?x=2&x=1").asked()])
            .configured(HttpCache::sort_query),
        case(
            "the path counts in its case",
            [fresh("/a"), get().path("/A").asked(), get().path("/a/").asked()],
        ),
        case(
            "the host counts, its case does not",
            [
                fresh("/a").sends("host", "one.example"),
                get().path("/a").sends("host", "two.example").asked(),
                get().path("/a").sends("host", "ONE.example").hit(),
                // A handler might make links of it.
                get().path("/a").sends("host", "one.example:80").asked(),
                get().path("/a").sends("host", "one.example:8080").asked(),
            ],
        ),
        case(
            "a port that goes without saying counts: a handler may make a link with it",
            [
                fresh("/a").sends("host", "one.example"),
                get().path("/a").sends("host", "one.example:80").asked(),
                get().path("/a").sends("host", "one.example:443").asked(),
                get().path("/a").sends("host", "one.example").hit(),
            ],
        ),
        case(
            "what the user adds",
            [
                fresh("/a").sends("x-tenant", "one"),
                get().path("/a").sends("x-tenant", "two").asked(),
                get().path("/a").sends("x-tenant", "one").hit(),
            ],
        )
        .configured(|cache| cache.key(|request| format!("{:?}", request.headers.get("x-tenant")))),
        case(
            "what the user skips",
            [fresh("/admin/a"), get().path("/admin/a").asked().cache_status("fwd=bypass")],
        )
        .configured(|cache| cache.skip_if(|request| request.uri.path().starts_with("/admin"))),
    ])
    .await;
}

#[tokio::test]
async fn tags_do_not_leave() {
    run([
        case(
            "stored",
            [
                get()
                    .says("cache-control", "max-age=60")
                    .says("surrogate-key", "a b")
                    .says("cache-tag", "c")
                    .lacks("surrogate-key"),
                get().hit().lacks("surrogate-key").lacks("cache-tag"),
            ],
        ),
        case("not stored", [get().says("surrogate-key", "a b").lacks("surrogate-key")]),
        case("of another method", [method("POST").says("cache-tag", "a b").lacks("cache-tag")]),
    ])
    .await;
}

/// `skip_if` sees the same path as the key, the tags and `ttl_under` do.
#[cfg(feature = "axum")]
#[cfg(feature = "axum")]
#[tokio::test]
async fn skip_if_sees_whole_paths() {
    use support::{
        Said, TestClock, client, handler, http_cache,
        servers::{router, serve_router},
    };

    let page = handler(|_| std::future::ready(Said::new(&[("cache-control", "max-age=60")], "page")));
    let cache = http_cache(&TestClock::new()).skip_if(|request| request.uri.path().starts_with("/admin"));
    let nested = axum::Router::new().nest("/admin", router(page).layer(cache));
    let server = serve_router(nested).await;
    client::get(server.address, "/admin/page", &[]).await;
    assert!(!client::get(server.address, "/admin/page", &[]).await.is_hit());
}

/// What caches that come next make of a response depends on how it is written.
#[tokio::test]
async fn vary_is_one_line() {
    use support::{Said, TestClock, client, handler, http_cache, servers::Framework};
    for framework in Framework::ALL {
        for says in ["max-age=60", "private"] {
            let lines = [("cache-control", says), ("vary", "accept-language"), ("vary", "accept-encoding")];
            let said = handler(move |_| std::future::ready(Said::new(&lines, "text")));
            let server = framework.serve(http_cache(&TestClock::new()), said).await;
            for _ in 0..2 {
                let received = client::get(server.address, "/", &[]).await;
                let vary: Vec<_> = received.headers.get_all("vary").iter().collect();
                assert_eq!(vary, ["accept-language, accept-encoding"], "{framework:?}: {received:?}");
            }
        }
    }
}

/// `NormalizePath`, say, makes one URL of both.
#[tokio::test]
async fn a_change_with_a_slash_at_its_end() {
    for (page, change) in [("/page", "/page/"), ("/page/", "/page"), ("/page?a", "/page/?a")] {
        run([case(
            change,
            [
                get().path(page).says("cache-control", "max-age=60"),
                get().path(page).hit(),
                method("POST").path(change),
                get().path(page).asked(),
            ],
        )])
        .await;
    }
}

/// One page takes a tenth of the memory at most, with all that belongs to it; and `stored` says what is true.
#[tokio::test]
async fn what_is_too_large_for_the_memory() {
    let [small, large]: [&'static str; 2] = [1_000, 9_000].map(|length| &*"x".repeat(length).leak());
    run([
        case("small", [get().says("cache-control", "max-age=60").says_body(small), get().hit()])
            .configured(|cache| cache.capacity(80_000)),
        case(
            "large",
            [
                get()
                    .says("cache-control", "max-age=60")
                    .says_body(large)
                    .has("cache-status", "larder; fwd=uri-miss"),
                get().asked(),
            ],
        )
        .configured(|cache| cache.capacity(80_000)),
        case(
            "large headers",
            [
                get()
                    .says("cache-control", "max-age=60")
                    .says("x", large)
                    .has("cache-status", "larder; fwd=uri-miss"),
                get().asked(),
            ],
        )
        .configured(|cache| cache.capacity(80_000)),
    ])
    .await;
}
