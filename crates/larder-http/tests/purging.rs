//! Tags for caches in front, what is purged, and who is told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache as _, CacheExt as _, MemoryCache};
use larder_http::{HttpCache, Purge};
use support::{
    Said, Seen, TestClock,
    client::{get as ask, request, send},
    eventually, handler, http_cache,
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

/// A handler whose page has a version, and which answers conditional requests; what it was asked is written down.
struct Versioned {
    version: AtomicUsize,
    status: AtomicUsize,
    asked: Mutex<Vec<Option<String>>>,
    cache_control: &'static str,
}

impl Versioned {
    fn new(cache_control: &'static str) -> Arc<Self> {
        let (version, status) = (AtomicUsize::new(1), AtomicUsize::new(200));
        Arc::new(Self { version, status, asked: Mutex::default(), cache_control })
    }

    fn handler(self: &Arc<Self>) -> support::Handler {
        let page = self.clone();
        handler(move |seen| std::future::ready(page.say(&seen)))
    }

    fn say(&self, seen: &Seen) -> Said {
        let condition = seen.header("if-none-match").map(str::to_owned);
        let version = self.version.load(Ordering::SeqCst);
        let etag = format!("\"{version}\"");
        let headers = [("cache-control", self.cache_control), ("etag", &etag), ("surrogate-key", "news")];
        let is_current = condition.as_ref() == Some(&etag);
        self.asked.lock().unwrap().push(condition);
        let status = u16::try_from(self.status.load(Ordering::SeqCst)).unwrap();
        match status {
            200 if is_current => Said { status: 304, ..Said::new(&headers, "") },
            200 => Said::new(&headers, format!("version {version}")),
            _ => Said { status, ..Said::new(&[], "failure") },
        }
    }

    /// What it was asked since: the conditions of each request.
    fn take_asked(&self) -> Vec<Option<String>> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Until the background has done its work.
    async fn is_asked(&self) -> Vec<Option<String>> {
        eventually("the handler is asked", async || !self.asked.lock().unwrap().is_empty()).await;
        self.take_asked()
    }
}

const SECRET: (&str, &str) = ("x-secret", "secret");

/// Every way to mark the page at `/page` stale.
async fn soft_purges(cache: &HttpCache, store: &MemoryCache, at: std::net::SocketAddr, way: usize) -> bool {
    let host = "example.com";
    let purge = match way {
        0 => Purge::url(host, "/page"),
        1 => Purge::tag("news"),
        2 => Purge::page(host, "/page"),
        3 => Purge::Under { host: host.into(), path: "/".into() },
        4 => {
            drop(store.mark_stale(larder_http::page(host, "/page")));
            return true;
        }
        5 | 6 => {
            let soft = [SECRET, ("fastly-soft-purge", "1"), ("surrogate-key", "news")];
            let sent = request("PURGE", "/page", &soft[..if way == 5 { 2 } else { 3 }]);
            assert_eq!(send(at, sent).await.status, 204);
            return true;
        }
        _ => return false,
    };
    cache.soft_purge([purge]).await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_marked_stale_is_served_while_it_is_requested_again() {
    for &framework in Framework::ALL {
        for way in 0.. {
            let page = Versioned::new("max-age=60, stale-while-revalidate=600");
            let store = MemoryCache::new(100);
            let cache = HttpCache::new(store.clone())
                .accept_purge(|request| request.headers.get(SECRET.0).is_some_and(|sent| sent == SECRET.1));
            let server = framework.serve(cache.clone(), page.handler()).await;
            let get = async || ask(server.address, "/page", &[]).await;
            get().await;
            assert!(get().await.is_hit());
            page.version.store(2, Ordering::SeqCst);
            page.take_asked();
            if !soft_purges(&cache, &store, server.address, way).await {
                assert!(way > 6);
                break;
            }
            let stale = get().await;
            let what = format!("{framework:?}, way {way}: {stale:?}");
            assert!(stale.is_hit() && stale.text() == "version 1", "{what}");
            assert!(!stale.cache_status().contains("ttl=60"), "{what}");
            assert_eq!(stale.header("age").as_deref(), Some("60"), "no cache in front keeps it: {what}");
            assert_eq!(page.is_asked().await, [Some("\"1\"".to_owned())], "{what}");
            eventually("the new one is served", async || get().await.text() == "version 2").await;
            let new = get().await;
            assert!(new.is_hit() && new.header("age").as_deref() == Some("0"), "{new:?}");
            assert_eq!(page.take_asked(), [], "it is fresh again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_marked_stale_is_validated_where_it_may_not_be_served() {
    let no_windows = ["max-age=60", "max-age=60, must-revalidate, stale-while-revalidate=600"];
    let shared = ["s-maxage=60, stale-while-revalidate=600", "public, max-age=60, proxy-revalidate"];
    for cache_control in no_windows.into_iter().chain(shared) {
        let page = Versioned::new(cache_control);
        let store = MemoryCache::new(100);
        let cache = HttpCache::new(store.clone());
        let server = Framework::Axum.serve(cache.clone(), page.handler()).await;
        let get = async || ask(server.address, "/page", &[]).await;
        get().await;
        page.take_asked();
        for (round, version) in [(1, 1), (2, 2)] {
            page.version.store(version, Ordering::SeqCst);
            cache.soft_purge([Purge::tag("news")]).await;
            let validated = get().await;
            let what = format!("{cache_control}, round {round}: {validated:?}");
            assert_eq!(validated.text(), format!("version {version}"), "{what}");
            assert!(validated.cache_status().contains("fwd=stale"), "{what}");
            assert_eq!(page.take_asked(), [Some("\"1\"".to_owned())], "{what}");
            let next = get().await;
            assert!(next.is_hit(), "what was validated is fresh: {what}, {next:?}");
        }
        // It may not be served in place of an error either.
        page.status.store(503, Ordering::SeqCst);
        cache.soft_purge([Purge::tag("news")]).await;
        assert_eq!(get().await.status, 503, "{cache_control}");
        page.status.store(200, Ordering::SeqCst);
        assert_eq!(get().await.text(), "version 2");
        // What drops a response wins, before the mark or after it.
        for drops_first in [true, false] {
            get().await;
            page.take_asked();
            if drops_first {
                cache.purge([Purge::tag("news")]).await;
            }
            cache.soft_purge([Purge::tag("news")]).await;
            if !drops_first {
                cache.purge([Purge::page("example.com", "/page")]).await;
            }
            assert!(get().await.cache_status().contains("fwd=uri-miss"), "{cache_control}");
            assert_eq!(page.take_asked(), [None], "{cache_control}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_marked_stale_is_served_in_place_of_an_error_and_its_windows_begin_with_the_mark() {
    for &framework in Framework::ALL {
        let page = Versioned::new("max-age=60, stale-while-revalidate=10, stale-if-error=30");
        let clock = TestClock::new();
        let now = clock.clone();
        let store = MemoryCache::new(100);
        let cache = HttpCache::new(store.clone()).clock(move || now.now());
        let server = framework.serve(cache.clone(), page.handler()).await;
        let get = async || ask(server.address, "/page", &[]).await;
        get().await;
        cache.soft_purge([Purge::tag("news")]).await;
        page.status.store(502, Ordering::SeqCst);
        // Both clocks: that of larder, by which it is marked, and that of HTTP.
        let pass = |seconds| {
            clock.advance(seconds);
            store.core().advance(Duration::from_secs(seconds));
        };
        pass(9);
        let served = get().await;
        assert_eq!((served.status, served.is_hit()), (200, true), "while it is requested again: {served:?}");
        pass(11);
        let served = get().await;
        assert_eq!(served.status, 200, "in place of an error: {served:?}");
        assert!(served.cache_status().contains("fwd=stale; fwd-status=502"), "{framework:?}: {served:?}");
        pass(11);
        assert_eq!(get().await.status, 502, "{framework:?}: not after its time, which the mark began");
    }
}

/// Values marked stale mark what was made from them.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_as_stale_as_what_it_was_made_from() {
    let store = MemoryCache::new(100);
    let page = Versioned::new("max-age=60, stale-while-revalidate=600");
    let (reads, makes) = (store.clone(), page.clone());
    let respond = handler(move |seen| {
        let (reads, makes) = (reads.clone(), makes.clone());
        async move {
            let load = || std::future::ready(Ok::<_, std::convert::Infallible>(7));
            let policy = larder::Policy::ttl(Duration::from_secs(300));
            let Ok(_) = reads.get_or_compute::<u64, _, _>("user:7", policy, load).await;
            makes.say(&seen)
        }
    });
    let server = Framework::Axum.serve(HttpCache::new(store.clone()), respond).await;
    let get = async || ask(server.address, "/page", &[]).await;
    get().await;
    for version in [2, 3] {
        page.take_asked();
        page.version.store(version, Ordering::SeqCst);
        store.mark_stale("user:7").await;
        let stale = get().await;
        assert_eq!((stale.is_hit(), stale.text()), (true, format!("version {}", version - 1)));
        eventually("the new one", async || get().await.text() == format!("version {version}")).await;
        assert_eq!(page.take_asked().len(), 1);
    }
    // What a 304 has made fresh depends on what the page was made from.
    store.mark_stale("user:7").await;
    page.take_asked();
    assert!(get().await.is_hit());
    page.is_asked().await;
    eventually("fresh again", async || get().await.header("age").as_deref() == Some("0")).await;
    assert_eq!(page.take_asked(), []);
    store.invalidate("user:7").await;
    assert!(!get().await.is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hooks_of_soft_purges_are_their_own() {
    let (soft, hard) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (hears_soft, hears_hard) = (soft.clone(), hard.clone());
    let cache = http_cache(&TestClock::new())
        .accept_purge(|_| true)
        .on_purge(move |purges| hears_hard.lock().unwrap().extend_from_slice(purges))
        .on_soft_purge(move |purges| hears_soft.lock().unwrap().extend_from_slice(purges));
    let page = Versioned::new("max-age=60");
    let server = Framework::Axum.serve(cache.clone(), page.handler()).await;
    cache.soft_purge([Purge::tag("a")]).await;
    send(server.address, request("PURGE", "/b", &[("fastly-soft-purge", "1")])).await;
    assert_eq!(*soft.lock().unwrap(), [Purge::tag("a"), Purge::url("example.com", "/b")]);
    assert_eq!(*hard.lock().unwrap(), []);
    for other in ["0", "", "true", "1, 1"] {
        send(server.address, request("PURGE", "/b", &[("fastly-soft-purge", other)])).await;
    }
    assert_eq!((soft.lock().unwrap().len(), hard.lock().unwrap().len()), (2, 4));
}
