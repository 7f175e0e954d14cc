//! What shows that a stored response is outdated, and what does not.

mod support;

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::{
    Handler, Said, TestClock,
    client::{get as ask, open, request, send},
    eventually, handler, http_cache,
    servers::Framework,
    table::{case, get, method, run},
};
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_change_through_one_version_of_http_drops_what_another_stored() {
    // HTTP/2 requests name their scheme, HTTP/1.1 requests to the same TLS listener do not.
    run([case(
        "stored by a request that names `https`, changed by one that names nothing",
        [
            get().path("https://example.com/page").says("cache-control", "max-age=60").says_body("old"),
            method("POST").path("/page"),
            get().path("https://example.com/page").says_body("new").asked().body("new"),
        ],
    )])
    .await;
}

/// A handler that does not come to its end is dropped once its client went away, and its change may have been made.
#[tokio::test]
async fn a_change_whose_client_went_away_drops_what_is_stored() {
    let changed = Arc::new(AtomicUsize::new(0));
    let state = changed.clone();
    let handler = handler(move |seen| {
        let state = state.clone();
        async move {
            if seen.method == "POST" {
                state.store(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            Said::new(&[("cache-control", "max-age=60")], state.load(Ordering::SeqCst).to_string())
        }
    });
    let cache = http_cache(&TestClock::new()).disconnect_grace(Duration::from_millis(100));
    let server = Framework::Axum.serve(cache, handler).await;
    assert_eq!(ask(server.address, "/", &[]).await.text(), "0");
    let post = tokio::spawn(open(server.address, request("POST", "/", &[])));
    eventually("the change is made", || async { changed.load(Ordering::SeqCst) == 1 }).await;
    post.abort();
    eventually("the page is dropped", || async { ask(server.address, "/", &[]).await.text() == "1" }).await;
}

/// A page that may be stored.
fn page() -> Handler {
    handler(|_| ready(Said::new(&[("cache-control", "max-age=60")], "page")))
}

/// In a namespace, what the URL's own scopes and unsafe methods drop is dropped, too.
#[tokio::test]
async fn in_a_namespace_a_change_drops_what_is_stored() {
    use larder::CacheExt as _;

    let cache = larder::MemoryCache::new(100);
    for scope in [None, Some(larder_http::page("example.com", "/"))] {
        let namespace = cache.namespace("web");
        let server = Framework::Axum.serve(larder_http::HttpCache::new(namespace.clone()), page()).await;
        ask(server.address, "/", &[]).await;
        assert!(ask(server.address, "/", &[]).await.is_hit());
        match scope {
            None => drop(send(server.address, request("POST", "/", &[])).await),
            Some(scope) => drop(namespace.invalidate(scope).await),
        }
        assert!(!ask(server.address, "/", &[]).await.is_hit());
    }
}

#[tokio::test]
async fn what_a_refresh_finds_gone_is_not_served_on() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            let said = if first {
                Said::new(&[("cache-control", "max-age=10, stale-while-revalidate=86400")], "secret")
            } else {
                Said { status: 410, ..Said::new(&[("cache-control", "no-store")], "gone") }
            };
            ready(said)
        });
        let server = framework.serve(http_cache(&clock), handler).await;
        ask(server.address, "/", &[]).await;
        clock.advance(20);
        let mut last = String::new();
        for _ in 0..20 {
            last = ask(server.address, "/", &[]).await.text();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(
            last,
            "gone",
            "{framework:?}: {} refreshes found it gone",
            asked.load(Ordering::SeqCst) - 1
        );
    }
}

#[tokio::test]
async fn what_the_handler_says_is_gone_is_not_served_in_place_of_an_error() {
    run([case(
        "410, then 503",
        [
            get().says("cache-control", "max-age=10, stale-if-error=600").says_body("old"),
            get().after(20).says_status(410).says("cache-control", "no-store").says_body("gone").status(410),
            get().says_status(503).says_body("down").status(503),
        ],
    )])
    .await;
}

#[tokio::test]
async fn head_without_validators_proves_nothing() {
    run([case(
        "HEAD says nothing of the body",
        [
            get().says("cache-control", "max-age=60").says_body("41"),
            method("HEAD").after(61).says("cache-control", "max-age=60").says_body("42").asked(),
            get().says("cache-control", "max-age=60").says_body("42").asked().body("42"),
        ],
    )])
    .await;
}

/// A head for a client with credentials says nothing of what is for all.
#[tokio::test]
async fn another_ones_head_drops_nothing() {
    run([case(
        "HEAD with a cookie",
        [
            get().says("cache-control", "max-age=60").says_body("for all"),
            method("HEAD")
                .sends("cookie", "session=1")
                .sends("cache-control", "no-cache")
                .says("cache-control", "private")
                .says("content-length", "17")
                .says_body("")
                .asked(),
            get().hit(),
        ],
    )])
    .await;
}

#[tokio::test]
async fn what_is_said_to_one_client_drops_nothing() {
    for (name, value) in [("cookie", "session=1"), ("authorization", "Bearer 1")] {
        run([case(
            "private to one client",
            [
                get().says("cache-control", "max-age=60").says_body("for all"),
                get()
                    .sends(name, value)
                    .sends("cache-control", "no-cache")
                    .says("cache-control", "private")
                    .says_body("own")
                    .asked()
                    .body("own"),
                get().hit(),
            ],
        )])
        .await;
    }
}

/// 429, 401, 400, 406 are about the request; nothing says that the page is outdated.
#[tokio::test]
async fn a_refusal_of_a_request_drops_nothing() {
    for status in [400, 401, 406, 408, 429, 431] {
        run([case(
            "refused",
            [
                get().says("cache-control", "max-age=600").says_body("for all"),
                get().sends("cache-control", "no-cache").says_status(status).says_body("no").asked(),
                get().hit(),
            ],
        )])
        .await;
    }
}

#[tokio::test]
async fn a_304_that_forbids_to_store_drops_the_page() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |seen| {
            counter.fetch_add(1, Ordering::SeqCst);
            ready(if seen.header("if-none-match").is_some() {
                Said { status: 304, ..Said::new(&[("etag", "\"a\""), ("cache-control", "no-store")], "") }
            } else if counter.load(Ordering::SeqCst) == 1 {
                Said::new(
                    &[("etag", "\"a\""), ("cache-control", "max-age=10, stale-while-revalidate=86400")],
                    "old",
                )
            } else {
                Said::new(&[("cache-control", "no-store")], "new")
            })
        });
        let server = framework.serve(http_cache(&clock), handler).await;
        ask(server.address, "/", &[]).await;
        clock.advance(20);
        let mut last = String::new();
        for _ in 0..20 {
            last = ask(server.address, "/", &[]).await.text();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(last, "new", "{framework:?}: asked {}", asked.load(Ordering::SeqCst));
    }
}

/// What a request reloads is no change for the others: whichever of two reloads ends last.
#[tokio::test]
async fn reloads_of_a_fresh_page_cost_the_others_nothing() {
    for framework in Framework::ALL {
        let (asked, gates) = (Arc::new(AtomicUsize::new(0)), [1, 2].map(|_| Arc::new(Semaphore::new(0))));
        let (counter, closed) = (asked.clone(), gates.clone());
        let handler = handler(move |seen| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let gate = seen.header("x-gate").map(|gate| closed[gate.parse::<usize>().unwrap()].clone());
            async move {
                if let Some(gate) = gate {
                    drop(gate.acquire().await);
                }
                Said::new(&[("cache-control", "max-age=60")], number.to_string())
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        ask(address, "/", &[]).await;
        #[expect(clippy::async_yields_async, reason = "the reload is awaited later")]
        let reload = async |gate: &'static str| {
            let asked_before = asked.load(Ordering::SeqCst);
            let headers = [("cache-control", "no-cache"), ("x-gate", gate)];
            let reloading = tokio::spawn(async move { ask(address, "/", &headers).await.text() });
            eventually("the handler is asked", || ready(asked.load(Ordering::SeqCst) > asked_before)).await;
            reloading
        };
        let (first, second) = (reload("0").await, reload("1").await);
        for (gate, reloading, number) in [(0, first, "1"), (1, second, "2")] {
            assert!(ask(address, "/", &[]).await.is_hit(), "{framework:?}");
            gates[gate].add_permits(1);
            assert_eq!(reloading.await.unwrap(), number, "{framework:?}");
            let next = ask(address, "/", &[]).await;
            assert!(next.is_hit(), "{framework:?}: {next:?}");
            assert_eq!(next.text(), "1", "{framework:?}: the second one began before the page was replaced");
        }
    }
}

/// A page that is invalidated while the handler finds it unchanged: its next requests are coalesced, as ever.
#[tokio::test]
async fn a_page_invalidated_during_its_validation_is_made_once() {
    for framework in Framework::ALL {
        let (asked, gate, clock) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)), TestClock::new());
        let (counter, closed) = (asked.clone(), gate.clone());
        let handler = handler(move |seen| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let is_known = seen.header("if-none-match").is_some();
            let gate = closed.clone();
            async move {
                let headers = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
                if is_known {
                    drop(gate.acquire().await);
                    return Said { status: 304, ..Said::new(&headers, "") };
                }
                tokio::time::sleep(Duration::from_millis(if number > 0 { 100 } else { 0 })).await;
                Said::new(&headers, number.to_string())
            }
        });
        let cache = larder::MemoryCache::new(100);
        let time = clock.clone();
        let http = larder_http::HttpCache::new(cache.clone()).clock(move || time.now());
        let server = framework.serve(http, handler).await;
        let address = server.address;
        ask(address, "/", &[]).await;
        clock.advance(61);
        let validating = tokio::spawn(async move { ask(address, "/", &[]).await.text() });
        eventually("the handler is asked", || ready(asked.load(Ordering::SeqCst) == 2)).await;
        larder::CacheExt::invalidate(&cache, larder_http::page("example.com", "/")).await;
        gate.add_permits(1);
        assert_eq!(validating.await.unwrap(), "0", "{framework:?}: it was asked before");
        let asking: Vec<_> =
            (0..20).map(|_| tokio::spawn(async move { ask(address, "/", &[]).await.text() })).collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), "2", "{framework:?}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{framework:?}");
    }
}

/// Of those who wait for a response that breaks off, one calls the handler, for all.
#[tokio::test]
async fn a_body_that_breaks_off_is_made_again_once() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let headers = [("cache-control", "max-age=60")];
                tokio::time::sleep(Duration::from_millis(200)).await;
                if is_first {
                    let (said, body) = Said::stream(&headers);
                    body.send(Ok("half".into())).unwrap();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        body.send(Err(std::io::Error::other("broken"))).unwrap();
                    });
                    return said;
                }
                Said::new(&headers, "whole")
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        let asking: Vec<_> =
            (0..20).map(|_| tokio::spawn(async move { ask(address, "/", &[]).await.body })).collect();
        let mut whole = 0;
        for one in asking {
            whole += usize::from(one.await.unwrap().is_some_and(|body| body == "whole"));
        }
        assert_eq!((whole, asked.load(Ordering::SeqCst)), (19, 2), "{framework:?}");
    }
}

#[tokio::test]
async fn a_304_without_vary_leaves_what_selects_the_page() {
    let steps = |of_the_first: &'static str| {
        [
            get()
                .sends("x-lang", "de")
                .says("cache-control", of_the_first)
                .says("vary", "x-lang")
                .says("etag", "\"a\"")
                .says_body("de"),
            get()
                .sends("x-lang", "de")
                .after(1)
                .says_status(304)
                .says("cache-control", "max-age=60")
                .says("etag", "\"a\"")
                .asked()
                .body("de"),
            get()
                .sends("x-lang", "fr")
                .says("cache-control", "max-age=60")
                .says_body("fr")
                .asked()
                .body("fr"),
            get().sends("x-lang", "de").hit().body("de"),
        ]
    };
    run([
        case("named by `no-cache`", steps("max-age=0, no-cache=\"vary\"")),
        case("named by `private`", steps("max-age=0, private=\"vary\"")),
        case("beside what the cache adds", steps("max-age=0")).configured(|cache| cache.vary("origin")),
    ])
    .await;
}

#[tokio::test]
async fn a_change_of_an_equivalent_url_drops_what_is_stored() {
    let page = |path| get().path(path).says("cache-control", "max-age=60");
    run([
        case(
            "RFC 9110, section 4.2.3",
            [
                page("/users/a-b?c=d").says_body("old"),
                page("/users/a-b?c=d").hit(),
                method("DELETE").path("/users/a%2Db?c=%64"),
                page("/users/a-b?c=d").says_body("new").asked().body("new"),
            ],
        ),
        case(
            "each spelling has a page of its own",
            [
                page("/a-b?c=d").says_body("1"),
                page("/a%2Db?c=d").says_body("2").asked().body("2"),
                page("/a-b?c=%64").says_body("3").asked().body("3"),
                page("/a-b?c=d").hit().body("1"),
                page("/a%2Db?c=d").hit().body("2"),
                page("/a-b?c=%64").hit().body("3"),
                method("DELETE").path("/a-b?c=d"),
                page("/a%2Db?c=d").says_body("4").asked(),
                page("/a-b?c=%64").says_body("5").asked(),
            ],
        ),
    ])
    .await;
}

/// The handler fails; what it was to replace was invalidated while it was at work.
#[tokio::test]
async fn what_is_invalidated_is_not_served_in_place_of_an_error() {
    for framework in Framework::ALL {
        for is_invalidated in [true, false] {
            let (asked, gate, clock) =
                (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)), TestClock::new());
            let (counter, closed) = (asked.clone(), gate.clone());
            let handler = handler(move |_| {
                let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
                let gate = closed.clone();
                async move {
                    if is_first {
                        return Said::new(&[("cache-control", "max-age=10, stale-if-error=600")], "old");
                    }
                    drop(gate.acquire().await);
                    Said { status: 503, ..Said::new(&[], "down") }
                }
            });
            let cache = larder::MemoryCache::new(100);
            let time = clock.clone();
            let http = larder_http::HttpCache::new(cache.clone()).clock(move || time.now());
            let server = framework.serve(http, handler).await;
            let address = server.address;
            ask(address, "/", &[]).await;
            clock.advance(20);
            let waiting = tokio::spawn(async move { ask(address, "/", &[]).await.status });
            eventually("the handler is asked", || ready(asked.load(Ordering::SeqCst) == 2)).await;
            if is_invalidated {
                larder::CacheExt::invalidate(&cache, larder_http::page("example.com", "/")).await;
            }
            gate.add_permits(1);
            assert_eq!(waiting.await.unwrap(), if is_invalidated { 503 } else { 200 }, "{framework:?}");
        }
    }
}

#[tokio::test]
async fn only_if_cached_never_calls_the_handler() {
    run([case(
        "past the cache",
        [
            get().says("cache-control", "max-age=60"),
            get().sends("cache-control", "no-store, only-if-cached").not_asked().status(504),
            get().sends("cache-control", "only-if-cached").sends("if-match", "\"a\"").not_asked().status(504),
            get().sends("cache-control", "only-if-cached").hit(),
        ],
    )])
    .await;
}
