//! What a request counts as in the cache's statistics.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::future::ready;

use support::{Said, TestClock, client::get as ask, handler, servers::Framework};

/// One test at a time: the memory of the process is measured.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What may not be stored is no failure.
#[tokio::test]
async fn what_is_not_stored_is_no_failure() {
    let _alone = ALONE.lock().await;
    use larder::CacheExt as _;
    for framework in Framework::ALL {
        for says in ["private", "no-store", "max-age=0", ""] {
            let cache = larder::MemoryCache::new(100);
            let http = larder_http::HttpCache::new(cache.clone());
            let said = handler(move |_| ready(Said::new(&[("cache-control", says)], "text")));
            let server = framework.serve(http, said).await;
            for _ in 0..2 {
                ask(server.address, "/", &[]).await;
                ask(server.address, "/", &[("authorization", "Bearer a")]).await;
            }
            let stats = cache.stats();
            assert_eq!((stats.failures, stats.stores, stats.hits), (0, 0, 0), "{framework:?}: {says}");
            assert_eq!((stats.misses, stats.computations), (4, 4), "{framework:?}: {says}");
        }
    }
}

#[tokio::test]
async fn one_request_is_counted_once() {
    let _alone = ALONE.lock().await;
    use larder::CacheExt as _;
    let cache = larder::MemoryCache::new(100);
    let clock = TestClock::new();
    let now = clock.clone();
    let http = larder_http::HttpCache::new(cache.clone()).clock(move || now.now());
    let said = handler(|_| ready(Said::new(&[("cache-control", "max-age=60"), ("etag", "\"a\"")], "text")));
    let server = Framework::Axum.serve(http, said).await;
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let miss = cache.stats().since(&before);
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let hit = cache.stats().since(&before);
    clock.advance(61);
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let stale = cache.stats().since(&before);
    let counted = [miss, hit, stale].map(|stats| (stats.hits, stats.misses, stats.computations));
    assert_eq!(counted, [(0, 1, 1), (1, 0, 0), (0, 1, 1)]);
}

/// What became of requests, in words.
fn told(events: &mut larder::CacheEvents) -> Vec<String> {
    use larder::CacheEvent as Event;
    let events = std::iter::from_fn(|| events.try_recv());
    let words = events.map(|event| match event {
        Event::Hit { key, tier, stale, .. } => {
            format!("hit {key} {tier:?}{}", if stale { " stale" } else { "" })
        }
        Event::Miss { key, .. } => format!("miss {key}"),
        Event::Computed { key, succeeded, .. } => format!("computed {} {succeeded}", key.unwrap_or_default()),
        Event::Stored { key, .. } => format!("stored {key}"),
        Event::NotStored { key, why, .. } => format!("not stored {key} {why:?}"),
        other => format!("{other:?}"),
    });
    words.collect()
}

#[tokio::test]
async fn what_becomes_of_requests_is_told() {
    use larder::CacheExt as _;
    let _alone = ALONE.lock().await;
    for framework in Framework::ALL {
        let (cache, clock) = (larder::MemoryCache::new(100), TestClock::new());
        let now = clock.clone();
        let http = larder_http::HttpCache::new(cache.namespace("pages")).clock(move || now.now());
        let said = handler(|seen| {
            ready(match &*seen.uri {
                "/private" => Said::new(&[("cache-control", "private")], "text"),
                "/fails" if seen.header("if-none-match").is_some() => {
                    Said { status: 500, ..Said::new(&[], "") }
                }
                path => {
                    let control = match path {
                        "/swr" => "max-age=60, stale-while-revalidate=60",
                        "/fails" => "max-age=60, stale-if-error=60",
                        _ => "max-age=60",
                    };
                    Said::new(
                        &[("cache-control", control), ("etag", "\"a\""), ("vary", "accept-language")],
                        "text",
                    )
                }
            })
        });
        let server = framework.serve(http, said).await;
        let page = |path: &str| format!("pages:http:example.com:{path}@:-:v");
        ask(server.address, "/", &[]).await;
        let mut events = cache.events();
        ask(server.address, "/", &[]).await;
        assert_eq!(told(&mut events), [format!("hit {} Memory", page(""))], "{framework:?}");

        // A variant has a key of its own.
        let german = [("accept-language", "de")];
        ask(server.address, "/", &german).await;
        let made = told(&mut events);
        let key = made[0].strip_prefix("miss ").unwrap().to_owned();
        assert!(key.starts_with(&page("")) && key.len() == page("").len() + 40, "{key}");
        assert_eq!(made[1..], [format!("computed {key} true"), format!("stored {key}")]);
        ask(server.address, "/", &german).await;
        assert_eq!(told(&mut events), [format!("hit {key} Memory")]);

        ask(server.address, "/private", &[]).await;
        let declined = format!("not stored {} Declined", page("private:"));
        assert_eq!(told(&mut events).last(), Some(&declined));
        ask(server.address, "/swr", &[]).await;
        ask(server.address, "/fails", &[]).await;
        assert!(told(&mut events).contains(&format!("stored {}", page("swr:"))));

        clock.advance(61);
        // What is revalidated is no hit: its response is stored anew, under its own key.
        ask(server.address, "/", &[]).await;
        let at = page("");
        let anew = [format!("miss {at}"), format!("stored {at}"), format!("computed {at} true")];
        assert_eq!(told(&mut events), anew, "{framework:?}");
        // So is one that its client asks for.
        ask(server.address, "/", &[("cache-control", "no-cache")]).await;
        assert_eq!(told(&mut events), anew, "{framework:?}");
        ask(server.address, "/fails", &[]).await;
        let stale = |path| format!("hit {} Memory stale", page(path));
        let (at, failed) = (page("fails:"), told(&mut events));
        assert_eq!(failed[..1], [format!("miss {at}")]);
        assert_eq!(
            failed[1..],
            [format!("computed {at} true"), format!("not stored {at} Declined"), stale("fails:")]
        );
        ask(server.address, "/swr", &[]).await;
        assert!(told(&mut events).contains(&stale("swr:")), "and refreshed");
    }
}

/// A hit saves what its handler took, also after a handler has said that the response is current; and what is kept is
/// known in bytes.
#[tokio::test]
async fn a_hit_saves_what_its_response_took_to_make() {
    use larder::CacheExt as _;
    use std::time::{Duration, Instant};

    const SLOW: Duration = Duration::from_millis(40);
    let _alone = ALONE.lock().await;
    for framework in Framework::ALL {
        let (cache, clock) = (larder::MemoryCache::new(100), TestClock::new());
        let now = clock.clone();
        let http = larder_http::HttpCache::new(cache.namespace("pages")).clock(move || now.now());
        let headers = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
        let said = handler(move |seen| async move {
            if seen.header("if-none-match").is_some() {
                return Said { status: 304, ..Said::new(&headers, "") };
            }
            tokio::time::sleep(SLOW).await;
            Said::new(&headers, "text")
        });
        let server = framework.serve(http.clone(), said).await;
        assert_eq!((http.kept().entries, http.kept().weight), (0, 0));
        let begin = Instant::now();
        ask(server.address, "/", &[]).await;
        let took = begin.elapsed();
        assert_eq!(http.kept().entries, 1);
        assert!((1024..8192).contains(&http.kept().weight), "{:?}", http.kept());

        let counted = || {
            let stats = cache.function_stats();
            let of = stats.iter().find(|of| of.namespace == "pages").unwrap();
            (of.stats.hits, of.stats.misses, of.time_saved)
        };
        assert_eq!(counted(), (0, 1, Duration::ZERO));
        for _ in 0..3 {
            ask(server.address, "/", &[]).await;
        }
        let (hits, misses, saved) = counted();
        assert_eq!((hits, misses), (3, 1));
        assert!((3 * SLOW..=3 * took).contains(&saved), "{saved:?} of 3 times {took:?}");

        clock.advance(61);
        ask(server.address, "/", &[]).await;
        ask(server.address, "/", &[]).await;
        assert_eq!(counted(), (4, 2, saved / 3 * 4), "{framework:?}");
    }
}

/// A client that asks for ever new URLs takes no more memory than pages have, and drives out nothing else. `LARDER_URLS` says
/// how many, with the memory that pages have by default: a million take a minute.
#[tokio::test]
async fn memory_is_bounded_whatever_is_asked_for() {
    let _alone = ALONE.lock().await;
    use http_body_util::{BodyExt as _, Empty, Full};
    use larder::CacheExt as _;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    const SMALL: u64 = 4 << 20;
    let asked: Option<u64> = std::env::var("LARDER_URLS").ok().and_then(|urls| urls.parse().ok());
    let (urls, capacity) = asked.map_or((6_000, SMALL), |urls| (urls, 64 << 20));
    let cache = larder::MemoryCache::new(100);
    let hour = larder::Policy::ttl(std::time::Duration::from_secs(3600));
    cache.insert("mine", &1_u32, hour).await.unwrap();
    let inner = service_fn(|request: http::Request<Empty<bytes::Bytes>>| async move {
        let head = http::Response::builder().header("cache-control", "max-age=60").header("x-a", "b");
        let body = format!("{}{}", request.uri(), "x".repeat(3_000));
        Ok::<_, std::convert::Infallible>(head.body(Full::new(bytes::Bytes::from(body))).unwrap())
    });
    let service = larder_http::HttpCache::new(cache.clone()).capacity(capacity).layer(inner);
    let ask = async |n: u64| {
        let request =
            http::Request::get(format!("/page?{n}")).header("host", "a").body(Empty::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    // What the process takes without pages: a tenth of them is there.
    for n in 0..200 {
        ask(n).await;
    }
    let before = resident();
    for n in 0..urls {
        ask(n).await;
    }
    let grown = resident().saturating_sub(before);
    if asked.is_some() {
        println!("{urls} URLs: {} MiB more", grown >> 20);
    }
    assert!(grown < capacity + 2 * SMALL, "{grown} bytes more for {urls} URLs");
    assert_eq!(cache.get::<u32>("mine").await.unwrap(), Some(1), "driven out by pages");
    assert_eq!(cache.entry_count(), 1, "pages lie between the entries of the cache");
    // None of these pages takes less than 2 kB.
    let least = (urls / 2).min(urls.saturating_sub(capacity / 2_000));
    assert!(cache.stats().evictions >= least, "{:?}", cache.stats());
}

/// The memory that this process takes, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
