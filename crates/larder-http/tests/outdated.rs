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

/// A head for somebody with credentials says nothing of what is for everybody.
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
async fn what_is_said_to_somebody_drops_nothing() {
    for (name, value) in [("cookie", "session=1"), ("authorization", "Bearer 1")] {
        run([case(
            "private to somebody",
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
