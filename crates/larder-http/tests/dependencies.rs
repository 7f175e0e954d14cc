//! What drops stored responses: what their handlers read, their tags, their paths.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use larder::{CacheExt as _, MemoryCache, Scope, cached, invalidate};
use larder_http::{Caching, HttpCache, page, pages_under};
use support::{
    Said, TestClock,
    client::get,
    handler,
    servers::{Framework, serve_router},
};

static NAMES: AtomicU64 = AtomicU64::new(0);

#[cached(ttl = 300, key = "user:<id>")]
async fn user(id: u64) -> u64 {
    NAMES.load(Ordering::SeqCst) + id * 1000
}

#[invalidate("user:<id>")]
async fn rename(id: u64) {
    let _ = id;
    NAMES.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test]
async fn what_a_handler_reads_covers_its_response() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move { Said::new(&[("cache-control", "max-age=60")], user(7).await.to_string()) }
        });
        let server = framework.serve(HttpCache::new(MemoryCache::new(100)), handler).await;
        let before = get(server.address, "/users/7", &[]).await.text();
        assert!(get(server.address, "/users/7", &[]).await.is_hit());
        rename(8).await;
        assert!(get(server.address, "/users/7", &[]).await.is_hit(), "{framework:?}: that was another user");
        rename(7).await;
        let after = get(server.address, "/users/7", &[]).await;
        assert!(!after.is_hit(), "{framework:?}");
        assert_ne!(after.text(), before);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

/// A handler that answers "not modified" without reading anything does not make the response independent of
/// what it was made from.
#[tokio::test]
async fn a_validated_response_is_covered_as_before() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let cache = MemoryCache::new(100);
        let store = cache.clone();
        let handler = handler(move |seen| {
            let store = store.clone();
            async move {
                let headers = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
                if seen.header("if-none-match").is_some() {
                    return Said { status: 304, ..Said::new(&headers, "") };
                }
                let read: Option<u64> = store.get("number").await.unwrap();
                Said::new(&headers, format!("{read:?}"))
            }
        });
        let time = clock.clone();
        let http = HttpCache::new(cache.clone()).clock(move || time.now());
        let server = framework.serve(http, handler).await;
        get(server.address, "/", &[]).await;
        clock.advance(61);
        let validated = get(server.address, "/", &[]).await;
        assert!(validated.cache_status().contains("fwd-status=304; stored"), "{validated:?}");
        assert!(get(server.address, "/", &[]).await.is_hit(), "{framework:?}");
        cache.invalidate("number");
        assert!(!get(server.address, "/", &[]).await.is_hit(), "{framework:?}");
    }
}

#[tokio::test]
async fn tags_by_path_and_by_header() {
    for framework in Framework::ALL {
        let cache = MemoryCache::new(100);
        let handler = handler(|_| async {
            Said::new(
                &[("cache-control", "max-age=60"), ("surrogate-key", "news sports"), ("cache-tag", "a b")],
                "x",
            )
        });
        let http = HttpCache::new(cache.clone()).tag("/users/<id>/*", "pages-of:<id>");
        let server = framework.serve(http, handler).await;
        for tag in ["pages-of:7", "news", "sports", "a b"] {
            get(server.address, "/users/7/posts", &[]).await;
            assert!(get(server.address, "/users/7/posts", &[]).await.is_hit(), "{framework:?}: {tag}");
            cache.invalidate(Scope::tag("pages-of:8"));
            assert!(get(server.address, "/users/7/posts", &[]).await.is_hit());
            cache.invalidate(Scope::tag(tag));
            assert!(!get(server.address, "/users/7/posts", &[]).await.is_hit(), "{framework:?}: {tag}");
        }
    }
}

#[invalidate(tags = ["product:<id>"])]
async fn product_changed(id: &str) {
    let _ = id;
}

/// The macros write a placeholder's value with `:`, `*` and `%` escaped; a person writes it as it is.
#[tokio::test]
async fn a_tag_by_path_is_that_of_the_macros_and_the_one_that_people_write() {
    for framework in Framework::ALL {
        let handler = handler(|_| async { Said::new(&[("cache-control", "max-age=60")], "x") });
        let http = HttpCache::new(larder::global()).tag("/products/<id>", "product:<id>");
        let server = framework.serve(http, handler).await;
        for (path, id) in [
            ("/products/sku:42", "sku:42"),
            ("/products/50%25", "50%"),
            ("/products/a*", "a*"),
            ("/products/7", "7"),
        ] {
            let is_hit = async || get(server.address, path, &[]).await.is_hit();
            is_hit().await;
            assert!(is_hit().await, "{framework:?}: {id}");
            product_changed(id).await;
            assert!(!is_hit().await, "{framework:?}: {id}, by a macro");
            assert!(is_hit().await);
            larder::global().invalidate(Scope::tag(format!("product:{id}"))).await;
            assert!(!is_hit().await, "{framework:?}: {id}, as it is written");
        }
    }
}

#[tokio::test]
async fn tags_by_extension() {
    use axum::{Router, response::IntoResponse as _, routing};

    let cache = MemoryCache::new(100);
    let handler = || async {
        let mut response = "the news".into_response();
        response.extensions_mut().insert(Caching::ttl(std::time::Duration::from_secs(60)).tag("news"));
        response
    };
    let router = Router::new().route("/", routing::get(handler)).layer(HttpCache::new(cache.clone()));
    let server = serve_router(router).await;
    get(server.address, "/", &[]).await;
    assert!(get(server.address, "/", &[]).await.is_hit());
    cache.invalidate(Scope::tag("news"));
    assert!(!get(server.address, "/", &[]).await.is_hit());
}

#[cfg(feature = "actix")]
#[tokio::test]
async fn tags_by_extension_in_actix() {
    use actix_web::{App, HttpResponse, web};

    let cache = MemoryCache::new(100);
    let http = HttpCache::new(cache.clone());
    let server = support::servers::actix(move || {
        App::new().wrap(http.clone()).route(
            "/",
            web::get().to(|| async {
                let mut response = HttpResponse::Ok().body("the news");
                response
                    .extensions_mut()
                    .insert(Caching::ttl(std::time::Duration::from_secs(60)).tag("news"));
                response
            }),
        )
    })
    .await;
    get(server.address, "/", &[]).await;
    assert!(get(server.address, "/", &[]).await.is_hit());
    cache.invalidate(Scope::tag("news"));
    assert!(!get(server.address, "/", &[]).await.is_hit());
}

#[tokio::test]
async fn paths() {
    for framework in Framework::ALL {
        let cache = MemoryCache::new(100);
        let handler = handler(|_| async { Said::new(&[("cache-control", "max-age=60")], "x") });
        let server = framework.serve(HttpCache::new(cache.clone()), handler).await;
        let all = [
            "/",
            "/users",
            "/users/",
            "/users/7",
            "/users/7?page=2",
            "/users/7/posts",
            "/users-of-today",
            "/a:b/%3A/*",
        ];
        for (scope, dropped) in [
            (page("example.com", "/users/7"), &["/users/7", "/users/7?page=2"][..]),
            (page("EXAMPLE.com:80", "/"), &["/"]),
            (
                pages_under("example.com", "/users"),
                &["/users", "/users/", "/users/7", "/users/7?page=2", "/users/7/posts"],
            ),
            (pages_under("example.com", "/users/7/"), &["/users/7", "/users/7?page=2", "/users/7/posts"]),
            (pages_under("example.com", "/"), &all),
            (pages_under("example.org", "/"), &[]),
            (page("example.com", "/a:b/%3A/*"), &["/a:b/%3A/*"]),
            (page("example.com", "/a:b/:/*"), &[]),
        ] {
            for path in all {
                get(server.address, path, &[]).await;
            }
            cache.invalidate(&scope);
            for path in all {
                let is_hit = get(server.address, path, &[]).await.is_hit();
                assert_eq!(is_hit, !dropped.contains(&path), "{framework:?}: {scope:?}, {path}");
            }
        }
    }
}
