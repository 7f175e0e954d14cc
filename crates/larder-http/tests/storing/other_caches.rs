//! Caches in a row, and what is said to those that come next.

use super::*;

/// Axum cuts the paths that a nested router sees.
#[cfg(feature = "axum")]
#[tokio::test]
async fn nested_routers_do_not_share_pages() {
    use axum::{Router, routing::get};
    use support::{TestClock, client, http_cache, servers::serve_router};

    let cache = http_cache(&TestClock::new());
    let nested = |name: &'static str| {
        let handler = move || async move { ([("cache-control", "max-age=60")], name) };
        Router::new().route("/page", get(handler)).layer(cache.clone())
    };
    let router = Router::new().nest("/one", nested("one")).nest("/two", nested("two"));
    let server = serve_router(router).await;
    for is_hit in [false, true] {
        for name in ["one", "two"] {
            let received = client::get(server.address, &format!("/{name}/page"), &[]).await;
            assert_eq!((received.text().as_str(), received.is_hit()), (name, is_hit));
        }
    }
}

#[tokio::test]
async fn two_caches_in_a_row_answer() {
    use support::{
        Said, client, handler,
        servers::{router, serve_router},
    };

    let page = handler(|_| std::future::ready(Said::new(&[("cache-control", "max-age=60")], "page")));
    let cache = larder::MemoryCache::new(100);
    let routes = router(page)
        .layer(larder_http::HttpCache::new(cache.clone()))
        .layer(larder_http::HttpCache::new(cache));
    let server = serve_router(routes).await;
    for _ in 0..3 {
        let asking = client::get(server.address, "/", &[]);
        let received =
            tokio::time::timeout(std::time::Duration::from_secs(10), asking).await.expect("no deadlock");
        assert_eq!(received.text(), "page");
    }
}

#[tokio::test]
async fn for_caches_that_come_next() {
    let silent: fn(HttpCache) -> HttpCache = |cache| cache.ttl(std::time::Duration::from_secs(30));
    run([
        case(
            "a validator of ours comes with what was decided here",
            [get().has("cache-control", "no-cache"), get().after(5).hit().has("cache-control", "no-cache")],
        )
        .configured(silent),
        case(
            "a handler's own validator too",
            [
                get().says("etag", "\"1\"").has("cache-control", "no-cache"),
                get().after(5).hit().has("cache-control", "no-cache"),
                get().path("/dated").says("last-modified", "{-1000}").has("cache-control", "no-cache"),
            ],
        )
        .configured(silent),
        case(
            "what may be meant for one client goes no further",
            [
                get().sends("x-user", "1").asked().has("cache-control", "private"),
                get().sends("cookie", "1").asked().has("cache-control", "private"),
                get().sends("x-user", "1").says("expires", "{60}").lacks("cache-control"),
            ],
        )
        .configured(silent),
        case(
            "or there is none",
            [
                get().says("cache-control", "public").lacks("etag").has("cache-control", "public"),
                get().hit().lacks("etag"),
            ],
        )
        .configured(silent),
        case(
            "a handler's own word is left as it is",
            [
                get().says("cache-control", "max-age=60").has("cache-control", "max-age=60"),
                get().hit().has("cache-control", "max-age=60"),
            ],
        )
        .configured(silent),
        case(
            "what is decided here is no word of the handler's when it validates",
            [
                get().says("last-modified", "{-1000}"),
                get().after(31).says("last-modified", "{-1031}").says_status(304).asked().status(200),
                get().hit().has("cache-control", "no-cache"),
            ],
        )
        .configured(silent),
        case(
            "members of other caches are kept",
            [
                get()
                    .says("cache-control", "max-age=60")
                    .says("cache-status", "Origin; hit")
                    .has("cache-status", "Origin; hit, larder; fwd=uri-miss; stored"),
                get().not_asked().has("cache-status", "Origin; hit, larder; hit; ttl=60"),
            ],
        ),
        case(
            "it may have another name",
            [get()
                .says("cache-control", "max-age=60")
                .has("cache-status", "\"The Edge\"; fwd=uri-miss; stored")],
        )
        .configured(|cache| cache.name("The Edge")),
        case(
            "nginx is told what is left",
            [
                get().says("cache-control", "max-age=60").has("x-accel-expires", "60"),
                get().after(10).hit().has("x-accel-expires", "50"),
                get().path("/other").says("cache-control", "private").has("x-accel-expires", "0"),
            ],
        )
        .configured(HttpCache::accel_expires),
        case(
            "nginx does not know which requests say who asks",
            [get().has("x-accel-expires", "0"), get().hit().has("x-accel-expires", "0")],
        )
        .configured(|cache| cache.ttl(std::time::Duration::from_secs(30)).accel_expires()),
        // As Actix' `Compress` does: it names what it looked at only where it compressed.
        case(
            "compression inside, by a layer that does not always say so",
            [
                get().says("cache-control", "max-age=60").has("vary", "accept-encoding"),
                get()
                    .sends("accept-encoding", "gzip")
                    .says("cache-control", "max-age=60")
                    .says("vary", "accept-encoding")
                    .says("content-encoding", "gzip")
                    .says_body("zipped")
                    .asked()
                    .has("vary", "accept-encoding"),
                get().hit().body("body"),
                get().sends("accept-encoding", "gzip").hit().body("zipped").has("content-encoding", "gzip"),
            ],
        )
        .configured(|cache| cache.vary("Accept-Encoding")),
    ])
    .await;
}
