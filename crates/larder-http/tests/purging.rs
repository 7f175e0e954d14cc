//! Tags for caches in front, what is purged, and who is told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::{Arc, Mutex};

use larder::{CacheExt as _, MemoryCache};
use larder_http::{HttpCache, Purge};
use support::{
    Said, TestClock,
    client::{get as ask, request, send},
    handler, http_cache,
    servers::Framework,
    table::{Step, case, get, method, run},
};

fn page() -> Step {
    get().says("cache-control", "max-age=60")
}

#[tokio::test]
async fn tags_are_sent_on_in_the_headers_that_are_named() {
    let surrogate = |cache: HttpCache| cache.tag("/page", "all-pages").send_tags(["surrogate-key"]);
    let tagged = || page().says("surrogate-key", "a b").says("cache-tag", "c d, e");
    let etag = ("etag", "\"1\"");
    run([
        case(
            "none by default",
            [tagged().lacks("surrogate-key").lacks("cache-tag"), get().hit().lacks("surrogate-key")],
        ),
        case(
            "the response and those from the cache",
            [
                tagged().has("surrogate-key", "a b e all-pages").lacks("cache-tag"),
                get().hit().has("surrogate-key", "a b e all-pages"),
            ],
        )
        .configured(surrogate),
        case(
            "with commas",
            [
                tagged().has("cache-tag", "a,b,c d,e").lacks("surrogate-key"),
                get().hit().has("cache-tag", "a,b,c d,e"),
            ],
        )
        .configured(|cache| cache.send_tags(["cache-tag"])),
        case(
            "what is not stored",
            [
                get()
                    .says("cache-control", "private")
                    .says("surrogate-key", "a")
                    .has("surrogate-key", "a all-pages"),
                method("POST").says("surrogate-key", "a").has("surrogate-key", "a"),
                get().says("cache-control", "max-age=60").says("vary", "*").has("surrogate-key", "all-pages"),
            ],
        )
        .configured(surrogate),
        case(
            "an update adds to them",
            [
                tagged().says(etag.0, etag.1),
                page()
                    .after(61)
                    .says_status(304)
                    .says("surrogate-key", "f")
                    .has("surrogate-key", "a b e all-pages f"),
                get().hit().has("surrogate-key", "a b e all-pages f"),
                page().after(61).says_status(304).has("surrogate-key", "a b e all-pages f"),
            ],
        )
        .configured(surrogate),
    ])
    .await;
}

/// A server with pages, and what its hook was called with.
async fn service(
    framework: Framework,
    configure: impl Fn(HttpCache) -> HttpCache,
) -> (support::servers::Server, HttpCache, Arc<Mutex<Vec<Purge>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let cache = configure(http_cache(&TestClock::new()))
        .on_purge(move |purges| hears.lock().unwrap().extend_from_slice(purges))
        .on_purge(|_| panic!("as it should"));
    let respond = handler(|seen| {
        let said = match (seen.method.as_str(), seen.uri.as_str()) {
            ("GET", _) => Said::new(&[("cache-control", "max-age=60"), ("surrogate-key", "news")], "text"),
            ("DELETE", _) => Said { status: 403, ..Said::new(&[], "") },
            (_, _) => Said::new(&[("location", "/there?a"), ("cache-group-invalidation", "\"g\"")], ""),
        };
        std::future::ready(said)
    });
    (framework.serve(cache.clone(), respond).await, cache, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_is_called_with_what_was_purged() {
    for &framework in Framework::ALL {
        let (server, cache, heard) = service(framework, |cache| cache).await;
        let is_hit = async |path| ask(server.address, path, &[]).await.is_hit();
        let told = || std::mem::take(&mut *heard.lock().unwrap());
        assert!(!is_hit("/here?q").await);
        assert!(is_hit("/here?q").await);
        send(server.address, request("DELETE", "/here?q", &[])).await;
        assert_eq!(told(), []);
        assert!(is_hit("/here?q").await);
        let changed = send(server.address, request("POST", "/here?q", &[("host", "EXAMPLE.com:80")])).await;
        assert_eq!(changed.status, 200, "a panic of a hook does not end the request");
        let host = "example.com";
        let expected = [
            Purge::url(host, "/here?q"),
            Purge::url(host, "/here/?q"),
            Purge::url(host, "/there?a"),
            Purge::Group { host: host.into(), group: "g".into() },
        ];
        assert_eq!(told(), expected, "{framework:?}");
        assert!(!is_hit("/here?q").await);

        for purge in [
            Purge::tag("news"),
            Purge::url(host, "/here?q"),
            Purge::page(host, "/here"),
            Purge::Under { host: host.into(), path: "/".into() },
        ] {
            assert!(is_hit("/here?q").await);
            cache.purge([purge.clone()]).await;
            assert_eq!(told(), std::slice::from_ref(&purge));
            assert!(!is_hit("/here?q").await, "{purge:?}");
        }
        cache
            .purge([Purge::tag("other"), Purge::url(host, "/here"), Purge::url("a.example", "/here?q")])
            .await;
        assert!(is_hit("/here?q").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn purge_is_off_and_asks_who_may() {
    for &framework in Framework::ALL {
        let (server, _, heard) = service(framework, |cache| cache).await;
        let purge = async |server: &support::servers::Server, headers: &[(&str, &str)]| {
            send(server.address, request("PURGE", "/here?q", headers)).await
        };
        let by_default = purge(&server, &[]).await;
        assert_eq!((by_default.status, by_default.header("location").as_deref()), (200, Some("/there?a")));
        heard.lock().unwrap().clear();

        let secret = ("authorization", "Bearer secret");
        let (server, _, heard) = service(framework, |cache| {
            cache.accept_purge(|request| {
                request.headers.get("authorization").is_some_and(|sent| sent == "Bearer secret")
            })
        })
        .await;
        let is_hit = async |path| ask(server.address, path, &[]).await.is_hit();
        assert!(!is_hit("/here?q").await);
        for refused in
            [&[][..], &[("authorization", "Bearer guess")], &[("cookie", "a=b"), ("surrogate-key", "news")]]
        {
            assert_eq!(purge(&server, refused).await.status, 403);
            assert!(is_hit("/here?q").await, "{framework:?}: {refused:?}");
        }
        let done = purge(&server, &[secret]).await;
        assert_eq!((done.status, done.cache_status().as_str()), (204, "larder; detail=purge"));
        assert!(!is_hit("/here?q").await);
        assert_eq!(purge(&server, &[secret, ("surrogate-key", "other")]).await.status, 204);
        assert!(is_hit("/here?q").await);
        assert_eq!(purge(&server, &[secret, ("surrogate-key", "other news")]).await.status, 204);
        assert!(!is_hit("/here?q").await);
        assert_eq!(purge(&server, &[secret, ("surrogate-key", "")]).await.status, 204);
        assert!(is_hit("/here?q").await, "no tag is not the URL");
        let host = "example.com";
        let expected =
            [Purge::url(host, "/here?q"), Purge::tag("other"), Purge::tag("other"), Purge::tag("news")];
        assert_eq!(*heard.lock().unwrap(), expected);
    }
}

/// All variants go, and what is refused reaches neither them nor the handler.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_drops_all_variants_and_no_handler_hears_of_it() {
    for &framework in Framework::ALL {
        let methods = Arc::new(Mutex::new(Vec::new()));
        let seen = methods.clone();
        let respond = handler(move |request| {
            seen.lock().unwrap().push(request.method);
            let headers = [("cache-control", "max-age=60"), ("vary", "accept-language")];
            std::future::ready(Said::new(&headers, "text"))
        });
        let cache = http_cache(&TestClock::new())
            .accept_purge(|request| request.headers.get("x-secret").is_some_and(|sent| sent == "secret"));
        let server = framework.serve(cache, respond).await;
        let hits = async || {
            let mut hits = Vec::new();
            for language in ["de", "fr"] {
                hits.push(ask(server.address, "/page", &[("accept-language", language)]).await.is_hit());
            }
            hits
        };
        let purge =
            async |secret| send(server.address, request("PURGE", "/page", &[("x-secret", secret)])).await;
        assert_eq!(hits().await, [false, false]);
        assert_eq!(purge("guess").await.status, 403);
        assert_eq!(hits().await, [true, true]);
        assert_eq!(purge("secret").await.status, 204);
        assert_eq!(hits().await, [false, false]);
        assert_eq!(*methods.lock().unwrap(), ["GET"; 4], "{framework:?}");
    }
}

/// What another handle of the same cache invalidates goes too, without a call of the hook.
#[tokio::test(flavor = "multi_thread")]
async fn purging_and_invalidating_are_one() {
    for &framework in Framework::ALL {
        let store = MemoryCache::new(100);
        let cache = HttpCache::new(store.clone()).tag("/page", "pages");
        let respond = handler(|_| std::future::ready(Said::new(&[("cache-control", "max-age=60")], "text")));
        let server = framework.serve(cache.clone(), respond).await;
        let is_hit = async || ask(server.address, "/page", &[]).await.is_hit();
        assert!(!is_hit().await);
        assert!(is_hit().await);
        store.invalidate(larder::Scope::tag("pages")).await;
        assert!(!is_hit().await);
        assert!(is_hit().await);
        cache.purge([Purge::tag("pages")]).await;
        assert!(!is_hit().await);
    }
}
