//! `No-Vary-Search`: which queries make no difference, and what drops a response that answers several URLs.

mod support;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt as _, MemoryCache};
use larder_http::{HttpCache, Purge, page, pages_under};
use support::{
    Said, TestClock,
    client::{get as ask, request, send},
    eventually, handler, http_cache,
    servers::{Framework, Server},
    table::{Step, case, get, method, run},
};
use tokio::sync::watch;

const OBEYED: fn(HttpCache) -> HttpCache = HttpCache::no_vary_search;

fn at(path: &'static str, rule: &'static str) -> Step {
    get().path(path).says("cache-control", "max-age=60").says("no-vary-search", rule)
}

#[tokio::test]
async fn equivalent_queries_share_a_response() {
    let (utm, only_id) = ("params=(\"utm\")", "except=(\"id\"), key-order");
    run([
        case(
            "not by default",
            [at("/p?utm=1", utm).asked().has("no-vary-search", utm), at("/p?utm=2", utm).asked()],
        ),
        case(
            "parameters without a meaning",
            [
                at("/p?utm=1&a=1", utm).asked().cache_status("stored"),
                at("/p?a=1", utm).hit().has("no-vary-search", utm),
                at("/p?a=1&utm=2&utm=3", utm).hit(),
                at("/p?utm=1&a=1", utm).hit(),
                at("/p?%61=1&u%74m", utm).hit(),
                at("/p?a=2", utm).asked().cache_status("stored"),
                at("/p?utm=4&a=2", utm).hit(),
                at("/p", utm).asked(),
                at("/p?", utm).hit(),
            ],
        )
        .configured(OBEYED),
        case(
            "parameters with one, in any order",
            [
                at("/p?id=1&x=1&id=2", only_id).asked(),
                at("/p?y&id=1&id=2", only_id).hit(),
                at("/p?id=2&id=1", only_id).asked(),
                at("/p?id=1", only_id).asked(),
            ],
        )
        .configured(OBEYED),
        case(
            "invalid headers have no effect",
            [
                at("/p?utm=1", "params=utm").asked(),
                at("/p?utm=2", "params=utm").asked(),
                at("/p?utm=1", "").hit(),
            ],
        )
        .configured(OBEYED),
        case(
            "other paths and hosts have nothing to do with it",
            [
                at("/p?utm=1", utm).asked(),
                at("/q?utm=1", utm).asked(),
                at("/p/?utm=1", utm).asked(),
                at("/p?utm=1", utm).sends("host", "other.example").asked(),
                at("/q?utm=2", utm).hit(),
            ],
        )
        .configured(OBEYED),
        case(
            "as for HEAD, variants, ranges and conditions",
            [
                at("/p?utm=1", utm).says("vary", "x").says("etag", "\"1\"").says_body("0123").sends("x", "a"),
                method("HEAD").path("/p?utm=2").sends("x", "a").not_asked().status(200),
                at("/p?utm=3", utm).says("vary", "x").says("etag", "\"1\"").sends("x", "b").asked(),
                at("/p?utm=4", utm).sends("x", "b").hit(),
                get()
                    .path("/p?utm=5")
                    .sends("x", "a")
                    .sends("range", "bytes=1-2")
                    .not_asked()
                    .status(206)
                    .body("12"),
                get()
                    .path("/p?utm=6")
                    .sends("x", "a")
                    .sends("if-none-match", "\"1\"")
                    .not_asked()
                    .status(304),
            ],
        )
        .configured(OBEYED),
        case(
            "what is personal stays so",
            [
                at("/p?utm=1", utm).sends("authorization", "A").asked(),
                at("/p?utm=2", utm).sends("authorization", "B").asked(),
                at("/p?utm=3", utm).sends("cookie", "a=b").asked(),
                at("/p?utm=4", utm).sends("cookie", "a=c").asked(),
            ],
        )
        .configured(OBEYED),
    ])
    .await;
}

#[tokio::test]
async fn a_response_answers_only_what_its_own_header_makes_equivalent() {
    let (utm, all) = ("params=(\"utm\")", "except=()");
    let none = |path| get().path(path).says("cache-control", "max-age=60");
    run([
        case(
            "the rule of a path changes",
            [
                at("/p?utm=1&a=1", utm).asked(),
                at("/p?a=2", all).asked().cache_status("stored"),
                // By the last rule this is what was just stored.
                at("/p?a=1", all).hit(),
                at("/p?a=3", utm).after(61).asked().cache_status("stored"),
                at("/p?a=3&utm=5", utm).hit(),
                at("/p?a=1", utm).asked(),
            ],
        )
        .configured(OBEYED),
        case(
            "a response without a rule is for its URL",
            [
                at("/p?a=1", all).asked(),
                none("/p?a=2").after(61).says_body("two").asked().cache_status("stored"),
                none("/p?a=1").asked().cache_status("stored"),
                none("/p?a=2").hit().body("two"),
                none("/p?a=1").hit().body("body"),
                none("/p?a=3").asked(),
                at("/p?a=4", all).asked(),
                at("/p?a=5", all).hit(),
            ],
        )
        .configured(OBEYED),
        case(
            "a response that was stored without a rule, and has one when it is updated",
            [
                none("/p?a=1").says("etag", "\"1\"").asked(),
                at("/p?a=1", all).says("etag", "\"1\"").after(61).says_status(304).status(200).body("body"),
                at("/p?a=2", all).says("etag", "\"2\"").asked(),
                at("/p?a=1", all).hit(),
            ],
        )
        .configured(OBEYED),
        case(
            "an update narrows the rule",
            [
                at("/p?a=1&utm=1", all).says("etag", "\"1\"").asked(),
                at("/p?a=1&utm=2", utm).says("etag", "\"1\"").after(61).says_status(304).body("body"),
                at("/p?a=2", utm).says("etag", "\"2\"").says_body("two").asked().body("two"),
                at("/p?a=1", utm).asked(),
                at("/p?a=2&utm=3", utm).hit().body("two"),
            ],
        )
        .configured(OBEYED),
        case(
            "an update that does not tell leaves it",
            [
                at("/p?a=1", all).says("etag", "\"1\"").asked(),
                get().path("/p?a=2").after(61).says("etag", "\"1\"").says_status(304).body("body"),
                get().path("/p?a=3").hit(),
            ],
        )
        .configured(OBEYED),
    ])
    .await;
}

/// A handler whose responses tell how often it was asked.
async fn counted(cache: HttpCache) -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let respond = handler(move |_| {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let lifetime = ("cache-control", "max-age=60, stale-while-revalidate=600");
        let headers = [lifetime, ("no-vary-search", "params=(\"utm\")"), ("surrogate-key", "news")];
        std::future::ready(Said::new(&headers, number.to_string()))
    });
    (Framework::Axum.serve(cache, respond).await, asked)
}

/// Whatever drops the response of a URL drops the one that answers it by a rule.
#[tokio::test(flavor = "multi_thread")]
async fn what_drops_a_url_drops_what_answers_it() {
    const HOST: &str = "example.com";
    let store = MemoryCache::new(100);
    let cache = HttpCache::new(store.clone()).no_vary_search().accept_purge(|_| true);
    let (server, asked) = counted(cache.clone()).await;
    let is_hit = async |path| ask(server.address, path, &[]).await.is_hit();
    for way in 0.. {
        // Stored for one URL, it answers another.
        is_hit("/p?a=1&utm=1").await;
        assert!(is_hit("/p?a=1&utm=2").await, "{way}");
        match way {
            0 => drop(send(server.address, request("POST", "/p?a=1&utm=9", &[])).await),
            1 => drop(send(server.address, request("PURGE", "/p?utm=7&a=1", &[])).await),
            2 => drop(cache.purge([Purge::url(HOST, "/p?a=1&utm=2")]).await),
            3 => drop(cache.purge([Purge::tag("news")]).await),
            4 => drop(store.invalidate(page(HOST, "/p")).await),
            5 => drop(store.invalidate(pages_under(HOST, "/")).await),
            _ => break,
        }
        assert!(!is_hit("/p?a=1&utm=3").await, "way {way}");
    }
    for (n, soft) in [Purge::url(HOST, "/p?a=1&utm=8"), Purge::page(HOST, "/p"), Purge::tag("news")]
        .into_iter()
        .enumerate()
    {
        cache.soft_purge([soft]).await;
        let before = asked.load(Ordering::SeqCst);
        let stale = ask(server.address, &format!("/p?a=1&utm=s{n}"), &[]).await;
        assert!(stale.is_hit() && stale.header("age").as_deref() == Some("60"), "{n}: {stale:?}");
        eventually("it is made anew", async || {
            let new = ask(server.address, &format!("/p?utm=n{n}&a=1"), &[]).await;
            new.is_hit() && new.header("age").as_deref() != Some("60")
        })
        .await;
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    }
    is_hit("/other?a=1").await;
    assert_eq!(send(server.address, request("POST", "/p?a=1", &[])).await.status, 200);
    assert!(is_hit("/other?a=1&utm").await, "another path has nothing to do with it");
}

/// Requests for equivalent URLs wait for one call of the handler, once the rule is known.
#[tokio::test(flavor = "multi_thread")]
async fn equivalent_requests_are_coalesced() {
    for &framework in Framework::ALL {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, (go, wait)) = (asked.clone(), watch::channel(true));
        let respond = handler(move |request| {
            seen.lock().unwrap().push(request.uri);
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|go| *go).await.unwrap();
                Said::new(&[("cache-control", "max-age=60"), ("no-vary-search", "params=(\"utm\")")], "text")
            }
        });
        let cache = http_cache(&TestClock::new()).no_vary_search();
        let server = framework.serve(cache, respond).await;
        ask(server.address, "/p?a=1", &[]).await;
        go.send(false).unwrap();
        let requests: Vec<_> = (0..20)
            .map(|n| tokio::spawn(async move { ask(server.address, &format!("/p?a=2&utm={n}"), &[]).await }))
            .collect();
        eventually("the handler is asked", async || asked.lock().unwrap().len() > 1).await;
        // Those who come later find it, so that the test holds whenever they come.
        tokio::time::sleep(Duration::from_millis(50)).await;
        go.send(true).unwrap();
        for request in requests {
            assert_eq!(request.await.unwrap().text(), "text");
        }
        assert_eq!(asked.lock().unwrap().len(), 2, "{framework:?}");
    }
}

/// Where the handler turns out to say something else this time, no request that waited gets the response to another URL.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_by_a_rule_that_no_longer_holds_ask_for_themselves() {
    for &framework in Framework::ALL {
        for (then, makes_all_one) in
            [(None, false), (Some("params=(\"other\")"), false), (Some("except=()"), true)]
        {
            let (rule, (go, wait)) = (Arc::new(Mutex::new(Some("params=(\"utm\")"))), watch::channel(true));
            let says = rule.clone();
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = asked.clone();
            let respond = handler(move |request| {
                counter.fetch_add(1, Ordering::SeqCst);
                let (says, mut wait) = (says.clone(), wait.clone());
                async move {
                    wait.wait_for(|go| *go).await.unwrap();
                    let rule = says.lock().unwrap().map(|rule| ("no-vary-search", rule));
                    let headers: Vec<_> = [("cache-control", "max-age=60")].into_iter().chain(rule).collect();
                    Said::new(&headers, request.uri)
                }
            });
            let cache = http_cache(&TestClock::new()).no_vary_search();
            let server = framework.serve(cache, respond).await;
            let at = server.address;
            ask(at, "/p?a=1", &[]).await;
            *rule.lock().unwrap() = then;
            go.send(false).unwrap();
            let uri = |n: usize| format!("/p?a=2&utm={n}");
            let requests: Vec<_> =
                (0..10).map(|n| tokio::spawn(async move { ask(at, &uri(n), &[]).await.text() })).collect();
            eventually("the handler is asked", async || asked.load(Ordering::SeqCst) > 1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            go.send(true).unwrap();
            for (n, request) in requests.into_iter().enumerate() {
                let text = request.await.unwrap();
                assert!(makes_all_one || text == uri(n), "{framework:?}, {then:?}: {n} got {text}");
            }
        }
    }
}

/// Inside of a router the cache sees the whole URL, and the handlers a part of it.
#[cfg(feature = "axum")]
#[tokio::test]
async fn in_a_nested_router_too() {
    use axum::{Router, routing::get};

    let says =
        || async { ([("cache-control", "max-age=60"), ("no-vary-search", "params=(\"utm\")")], "text") };
    let cache = http_cache(&TestClock::new()).no_vary_search();
    let inner = Router::new().route("/p", get(says)).layer(cache);
    let server = support::servers::serve_router(Router::new().nest("/api", inner)).await;
    assert!(!ask(server.address, "/api/p?utm=1", &[]).await.is_hit());
    assert!(ask(server.address, "/api/p?utm=2", &[]).await.is_hit());
    assert!(!ask(server.address, "/api/p?a=2", &[]).await.is_hit());
}

/// A path has one rule, so that any number of queries and rules adds no more than one entry each.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_has_one_rule_and_a_url_one_entry() {
    let store = MemoryCache::new(10_000);
    let cache = HttpCache::new(store.clone()).in_shared_memory().no_vary_search();
    let respond = handler(|seen| {
        // The worst of handlers: each URL has a rule of its own.
        let n = seen.uri.rsplit('=').next().unwrap().to_owned();
        let rule = format!("params=(\"utm{n}\")");
        std::future::ready(Said::new(&[("cache-control", "max-age=60"), ("no-vary-search", &rule)], n))
    });
    let server = Framework::Axum.serve(cache, respond).await;
    for n in 0..100 {
        assert_eq!(ask(server.address, &format!("/p?a={n}"), &[]).await.text(), n.to_string());
    }
    let keys: HashSet<_> =
        store.entries_in_memory(larder::Scope::all()).into_iter().map(|entry| entry.key).collect();
    assert!(keys.len() <= 101, "{} entries for 100 URLs of one path", keys.len());
}
