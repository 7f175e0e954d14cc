//! Who waits for whom, and what no client may be given; refreshes behind clients' backs.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use support::{
    Handler, Said, TestClock,
    client::{Received, get},
    eventually, handler, http_cache,
    servers::Framework,
};
use tokio::task::JoinSet;

/// A handler that takes its time, answers each client by name, and counts.
fn personal(headers: &'static [(&'static str, &'static str)]) -> (Handler, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let handler = handler(move |seen| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let names = ["authorization", "cookie", "accept-language", "x-forwarded-host"];
            let told: Vec<_> = names.iter().filter_map(|name| seen.header(name)).collect();
            Said::new(headers, told.join(" "))
        }
    });
    (handler, asked)
}

/// All clients ask at once.
async fn all_ask(at: std::net::SocketAddr, requests: Vec<Vec<(&'static str, String)>>) -> Vec<Received> {
    let mut asking = JoinSet::new();
    for (n, headers) in requests.into_iter().enumerate() {
        asking.spawn(async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            (n, get(at, "/page", &headers).await)
        });
    }
    let mut received = asking.join_all().await;
    received.sort_by_key(|(n, _)| *n);
    received.into_iter().map(|(_, received)| received).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_misses_ask_once() {
    for framework in Framework::ALL {
        let (handler, asked) = personal(&[("cache-control", "max-age=60")]);
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let received = all_ask(server.address, vec![Vec::new(); 100]).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{framework:?}");
        let collapsed =
            received.iter().filter(|received| received.cache_status().contains("; collapsed")).count();
        assert!(collapsed > 0, "{framework:?}");
        assert!(received.iter().all(|received| received.status == 200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_for_what_is_stale_ask_once() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let (handler, asked) = personal(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]);
        let server = framework.serve(http_cache(&clock), handler).await;
        get(server.address, "/page", &[]).await;
        clock.advance(61);
        let received = all_ask(server.address, vec![Vec::new(); 100]).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{framework:?}");
        assert!(received.iter().all(|received| received.status == 200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_variant_is_asked_for_once_it_is_known_to_be_one() {
    for framework in Framework::ALL {
        let (handler, asked) = personal(&[("cache-control", "max-age=60"), ("vary", "accept-language")]);
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let languages = ["en", "de", "fr"];
        get(server.address, "/page", &[("accept-language", "it")]).await;
        let requests = (0..60).map(|n| vec![("accept-language", languages[n % 3].to_owned())]).collect();
        for (n, received) in all_ask(server.address, requests).await.into_iter().enumerate() {
            assert_eq!(received.text(), languages[n % 3], "{framework:?}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4, "{framework:?}");
    }
}

/// No client is told another's name, whatever the handler says about its answers, or does not.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_gets_anothers_response() {
    const SAYINGS: &[&[(&str, &str)]] = &[
        &[],
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "no-store")],
        &[("cache-control", "max-age=60")],
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[("cache-control", "public, max-age=60"), ("set-cookie", "session=new")],
        &[("cache-control", "public, max-age=60"), ("vary", "authorization, cookie")],
        &[("cache-control", "s-maxage=60"), ("vary", "cookie"), ("vary", "authorization")],
        &[("expires", "Thu, 18 Aug 2050 02:01:18 GMT")],
        &[("etag", "\"same\""), ("cache-control", "max-age=0")],
        &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ];
    for framework in Framework::ALL {
        for headers in SAYINGS {
            let (handler, _) = personal(headers);
            let cache = http_cache(&TestClock::new()).ttl(Duration::from_secs(60)).heuristic_freshness();
            let server = framework.serve(cache, handler).await;
            for round in 0..2 {
                let requests: Vec<_> = (0..24)
                    .map(|n| match n % 4 {
                        0 => vec![("authorization", format!("Bearer {n}"))],
                        1 => vec![("cookie", format!("session={n}"))],
                        2 => {
                            vec![("authorization", format!("Bearer {n}")), ("cookie", format!("session={n}"))]
                        }
                        _ => Vec::new(),
                    })
                    .collect();
                let expected: Vec<_> = requests
                    .iter()
                    .map(|headers| {
                        headers.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
                    })
                    .collect();
                let received = all_ask(server.address, requests.clone()).await;
                for (n, (received, expected)) in received.iter().zip(&expected).enumerate() {
                    // What was made for no client in particular may be given to one: if the handler said
                    // that its answers are for a while, and not that they vary.
                    let anonymous = received.text().is_empty()
                        && headers.iter().any(|(name, value)| {
                            *name == "expires" || (*name == "cache-control" && *value == "max-age=60")
                        });
                    let own = received.text() == *expected;
                    assert!(
                        own || anonymous,
                        "{framework:?}, {headers:?}, round {round}: {n} should get {expected:?}, not {received:?}"
                    );
                }
            }
        }
    }
}

/// A handler that believes `X-Forwarded-Host` poisons only those who send the same header.
#[tokio::test(flavor = "multi_thread")]
async fn unkeyed_headers_poison_nothing() {
    for framework in Framework::ALL {
        let (handler, _) = personal(&[("cache-control", "public, max-age=60")]);
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let evil = get(server.address, "/page", &[("x-forwarded-host", "evil.example")]).await;
        assert_eq!(evil.text(), "evil.example");
        let victim = get(server.address, "/page", &[]).await;
        assert_eq!(victim.text(), "", "{framework:?}");
        assert!(get(server.address, "/page", &[]).await.is_hit());
        assert_eq!(
            get(server.address, "/page", &[("x-forwarded-host", "evil.example")]).await.text(),
            "evil.example"
        );
        for header in [
            ("x-host", "evil.example"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-forwarded-proto", "nothttps"),
            ("x-forwarded-scheme", "nothttps"),
            ("x-http-method-override", "POST"),
            ("forwarded", "for=1.2.3.4;host=evil.example"),
        ] {
            assert!(!get(server.address, "/page", &[header]).await.is_hit(), "{framework:?}: {header:?}");
        }
        for header in [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4"), ("user-agent", "x")] {
            assert!(get(server.address, "/page", &[header]).await.is_hit(), "{framework:?}: {header:?}");
        }
    }
}

/// Once it is known that a response is not to be shared, or only after it was validated for each client, ten who ask for
/// it are with the handler at once: it answers none of them before.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shared_holds_up_no_client_for_long() {
    const SAYINGS: [&[(&str, &str)]; 4] = [
        &[("cache-control", "private")],
        &[("cache-control", "no-cache"), ("etag", "\"a\"")],
        &[("cache-control", "max-age=0, must-revalidate"), ("etag", "\"a\"")],
        &[("cache-control", "no-cache"), ("etag", "\"a\""), ("no-vary-search", "key-order")],
    ];
    for (framework, says) in Framework::ALL.iter().flat_map(|one| SAYINGS.map(|says| (one, says))) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let all = Arc::new(tokio::sync::Barrier::new(10));
        let handler = handler(move |_| {
            let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            let all = all.clone();
            async move {
                if !first {
                    all.wait().await;
                }
                Said::new(says, "")
            }
        });
        let cache = http_cache(&TestClock::new()).no_vary_search();
        let server = framework.serve(cache, handler).await;
        get(server.address, "/page", &[]).await;
        let asking = all_ask(server.address, vec![Vec::new(); 10]);
        let received = tokio::time::timeout(Duration::from_secs(20), asking).await;
        assert_eq!(received.expect("no request waits for another").len(), 10, "{framework:?}, {says:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 11);
    }
}

/// What was not to be shared is asked for by all at once for ten seconds, and by one for all after that.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_response_was_not_shared_is_forgotten() {
    for framework in Framework::ALL {
        for (seconds, expected) in [(9, 10), (11, 1)] {
            let clock = TestClock::new();
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = asked.clone();
            let all = Arc::new(tokio::sync::Barrier::new(expected));
            let handler = handler(move |_| {
                let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
                let all = all.clone();
                async move {
                    if first {
                        return Said::new(&[("cache-control", "private")], "");
                    }
                    all.wait().await;
                    // So that all others have come.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Said::new(&[("cache-control", "max-age=60")], "")
                }
            });
            let server = framework.serve(http_cache(&clock), handler).await;
            get(server.address, "/page", &[]).await;
            clock.advance(seconds);
            let asking = all_ask(server.address, vec![Vec::new(); 10]);
            let received = tokio::time::timeout(Duration::from_secs(20), asking).await;
            assert_eq!(received.expect("as many as are awaited").len(), 10, "{framework:?}, {seconds}");
            assert_eq!(asked.load(Ordering::SeqCst), 1 + expected, "{framework:?}, {seconds}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_response_is_refreshed_behind_the_back_of_its_client() {
    for framework in Framework::ALL {
        let clock = TestClock::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            let n = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(if n == 0 { 0 } else { 200 })).await;
                Said::new(&[("cache-control", "max-age=10, stale-while-revalidate=60")], format!("{n}"))
            }
        });
        let server = framework.serve(http_cache(&clock), handler).await;
        get(server.address, "/page", &[]).await;
        clock.advance(20);
        let received = all_ask(server.address, vec![Vec::new(); 30]).await;
        assert!(received.iter().all(|received| received.is_hit() && received.text() == "0"), "{framework:?}");
        let address = server.address;
        eventually("the newer response is stored", || async move {
            get(address, "/page", &[]).await.text() == "1"
        })
        .await;
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{framework:?}");
    }
}

#[tokio::test]
async fn waiters_for_one_variant_ask_once_on_a_cold_uri() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Said::new(&[("cache-control", "max-age=60"), ("vary", "accept-language")], "text")
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        let callers: Vec<_> = (0..40)
            .map(|n| {
                tokio::spawn(async move {
                    let language = if n % 2 == 0 { "en" } else { "de" };
                    get(address, "/", &[("accept-language", language)]).await
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert!(
            asked.load(Ordering::SeqCst) <= 4,
            "{framework:?}: {} for 2 variants",
            asked.load(Ordering::SeqCst)
        );
    }
}

/// What is in the cache needs no handler, and so none that is ready.
#[tokio::test]
async fn hits_do_not_wait_for_a_busy_handler() {
    use tower::{Layer as _, Service as _, ServiceExt as _, limit::ConcurrencyLimit, service_fn};

    let slow = service_fn(|request: http::Request<http_body_util::Empty<Bytes>>| async move {
        if request.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        let response = http::Response::builder().header("cache-control", "max-age=60");
        Ok::<_, std::convert::Infallible>(
            response.body(http_body_util::Full::new(Bytes::from("text"))).unwrap(),
        )
    });
    let mut service = http_cache(&TestClock::new()).layer(ConcurrencyLimit::new(slow, 1));
    let to =
        |path: &str| http::Request::get(path).header("host", "a").body(http_body_util::Empty::new()).unwrap();
    drop(service.ready().await.unwrap().call(to("/")).await);
    let mut other = service.clone();
    tokio::spawn(async move { other.ready().await.unwrap().call(to("/slow")).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let hit = async { service.ready().await.unwrap().call(to("/")).await.map(drop) };
    assert!(tokio::time::timeout(Duration::from_secs(2), hit).await.is_ok(), "a hit waits for the handler");
}

/// One request that the handler refuses, for a reason of its own, does not let all others in at once.
#[tokio::test(flavor = "multi_thread")]
async fn one_refused_request_lets_no_herd_in() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |seen| {
            counter.fetch_add(1, Ordering::SeqCst);
            let refused = seen.header("accept") == Some("x/y");
            async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                match refused {
                    true => Said { status: 406, ..Said::new(&[], "no") },
                    false => Said::new(&[("cache-control", "max-age=600")], "page"),
                }
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        get(address, "/", &[]).await;
        get(address, "/", &[("cache-control", "no-cache"), ("accept", "x/y")]).await;
        let mut asking = tokio::task::JoinSet::new();
        (0..50).for_each(|_| drop(asking.spawn(async move { get(address, "/", &[]).await.status })));
        asking.join_all().await;
        let times = asked.load(Ordering::SeqCst) - 2;
        assert!(times <= 1, "{framework:?}: {times} of 50 are with the handler");
    }
}
