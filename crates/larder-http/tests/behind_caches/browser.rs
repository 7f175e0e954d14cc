//! A real browser in front: what its own cache makes of what is sent to it, by what arrives here.

use std::{
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{extract::Request, middleware::map_request};
use larder::{CacheExt as _, MemoryCache, Scope};
use larder_browser::Browser;
use larder_http::HttpCache;
use serde_json::{Value, json};

use super::support::{
    Said, Seen,
    client::{Received, get},
    eventually, handler,
    servers::{Server, router, serve_router},
};

/// What a page says of itself, and what came to the service.
#[derive(Default)]
struct World {
    version: AtomicUsize,
    /// How far the service's clock is ahead, in seconds.
    ahead: AtomicU64,
    /// Requests that the browser did not answer by itself: path, `Cache-Control`, and whether they have a condition.
    arrived: Mutex<Vec<(String, String, bool)>>,
    /// Requests that came to the handlers.
    handled: Mutex<Vec<String>>,
}

impl World {
    fn say(&self, seen: &Seen) -> Said {
        self.handled.lock().unwrap().push(seen.uri.clone());
        let version = self.version.load(Ordering::SeqCst);
        let directives = match seen.uri.split('?').next().unwrap() {
            "/" => "no-store",
            "/short" => "max-age=52",
            "/hour" | "/languages" => "max-age=3600",
            "/asked" => "max-age=0, s-maxage=3600",
            "/private" => "private, max-age=3600",
            "/three" => "private, max-age=3600",
            "/swr" => "max-age=10, stale-while-revalidate=600",
            "/logout" => "no-store",
            path if path.starts_with("/search/") => "max-age=3600",
            _ => "",
        };
        let mut headers = vec![("content-type", "text/html")];
        if !directives.is_empty() {
            headers.push(("cache-control", directives));
        }
        match seen.uri.as_str() {
            "/three" => headers.push(("larder-cache-control", "max-age=86400")),
            "/languages" => headers.push(("vary", "accept-language")),
            "/logout" => headers.push(("clear-site-data", "\"cache\"")),
            uri => headers.extend(QUERIES.iter().enumerate().find_map(|(number, (rule, ..))| {
                uri.starts_with(&format!("/search/{number}?")).then_some(("no-vary-search", *rule))
            })),
        }
        let language = seen.header("accept-language").unwrap_or_default();
        let text = if seen.uri == "/languages" { language.to_owned() } else { version.to_string() };
        Said::new(&headers, format!("<title>{text}</title>{text}"))
    }
}

struct Service {
    world: Arc<World>,
    pages: MemoryCache,
    server: Server,
    browser: Browser,
}

impl Service {
    /// With an empty page open, whose scripts may ask for the others.
    async fn start(configure: impl FnOnce(HttpCache) -> HttpCache) -> Option<Self> {
        if !Browser::is_installed() {
            println!("no browser is installed: nothing is tried with one");
            return None;
        }
        let world = Arc::<World>::default();
        let (says, now, counts) = (world.clone(), world.clone(), world.clone());
        // It stands still: what a machine takes for other things makes nothing old.
        let begun = SystemTime::now();
        let pages = MemoryCache::new(100);
        let cache = HttpCache::new(pages.clone())
            .clock(move || begun + Duration::from_secs(now.ahead.load(Ordering::SeqCst)));
        let routes = router(handler(move |seen| ready(says.say(&seen)))).layer(configure(cache)).layer(
            map_request(move |request: Request| {
                let header =
                    |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                let path = request.uri().path_and_query().unwrap().to_string();
                let directives = header("cache-control").unwrap_or_default();
                counts.arrived.lock().unwrap().push((path, directives, header("if-none-match").is_some()));
                ready(request)
            }),
        );
        let server = serve_router(routes).await;
        let browser = Browser::start().await;
        let service = Self { world, pages, server, browser };
        service.visit("/").await;
        Some(service)
    }

    async fn visit(&self, path: &str) {
        self.browser.visit(&format!("http://{}{path}", self.server.address)).await;
    }

    /// What a script in the page gets for a path.
    async fn fetch(&self, path: &str, options: Value) -> String {
        let script = "return fetch(arguments[0], arguments[1]).then((response) => response.text())";
        let text = self.browser.run(script, json!([path, options])).await;
        text.as_str().unwrap().split("</title>").last().unwrap().to_owned()
    }

    /// What another client gets, which has no cache.
    async fn get(&self, path: &str) -> Received {
        get(self.server.address, path, &[("host", &self.server.address.to_string())]).await
    }

    async fn shown(&self) -> String {
        self.browser.text("body").await
    }

    /// What came here for a path since this was asked last: the requests' `Cache-Control`, and whether they have a condition.
    fn arrived(&self, path: &str) -> Vec<(String, bool)> {
        let mut arrived = self.world.arrived.lock().unwrap();
        let taken: Vec<_> = arrived.extract_if(.., |(known, ..)| known == path).collect();
        taken.into_iter().map(|(_, directives, has_condition)| (directives, has_condition)).collect()
    }

    /// How often the handler was called for a path.
    fn handled(&self, path: &str) -> usize {
        self.world.handled.lock().unwrap().iter().filter(|known| *known == path).count()
    }

    /// Another version, and all that was stored here of the one before is gone.
    async fn change(&self) -> String {
        self.pages.invalidate(Scope::all()).await;
        (self.world.version.fetch_add(1, Ordering::SeqCst) + 1).to_string()
    }
}

fn plain() -> Value {
    json!({})
}

fn request(directives: &str, has_condition: bool) -> (String, bool) {
    (directives.to_owned(), has_condition)
}

#[tokio::test]
async fn a_browser_keeps_a_page_for_what_is_left_of_its_lifetime() {
    let Some(service) = Service::start(|cache| cache).await else { return };
    // Stored here 50 seconds before the browser comes.
    service.get("/short").await;
    service.world.ahead.store(50, Ordering::SeqCst);
    service.world.version.store(1, Ordering::SeqCst);
    assert_eq!(service.fetch("/short", plain()).await, "0");
    assert_eq!(service.arrived("/short"), [request("", false), request("", false)]);
    service.world.ahead.store(60, Ordering::SeqCst);
    eventually("its two seconds are over", || async { service.fetch("/short", plain()).await == "1" }).await;
    let arrived = service.arrived("/short");
    assert!(arrived.iter().all(|(_, has_condition)| *has_condition) && arrived.len() == 1, "{arrived:?}");

    // One that has an hour left is not heard of again, whatever is invalidated.
    assert_eq!(service.fetch("/hour", plain()).await, "1");
    service.change().await;
    assert_eq!(service.fetch("/hour", plain()).await, "1");
    assert_eq!(service.arrived("/hour").len(), 1);
}

#[tokio::test]
async fn a_browser_asks_for_what_it_may_not_trust_and_gets_304() {
    let Some(service) = Service::start(|cache| cache.ttl(Duration::from_secs(60))).await else { return };
    // Both are stored here: one by its handler's word, one by our own.
    for path in ["/asked", "/silent"] {
        for _ in 0..2 {
            assert_eq!(service.fetch(path, plain()).await, "0", "{path}");
        }
        assert_eq!(service.arrived(path), [request("", false), request("", true)], "{path}");
        assert_eq!(service.handled(path), 1, "{path}");
    }
    let version = service.change().await;
    for path in ["/asked", "/silent"] {
        assert_eq!(service.fetch(path, plain()).await, version, "{path}");
    }
}

#[tokio::test]
async fn a_browser_has_one_variant_and_what_is_private() {
    let Some(service) = Service::start(|cache| cache).await else { return };
    for (language, arrives) in [("en", 1), ("en", 0), ("de", 1), ("de", 0), ("en", 1)] {
        let options = json!({ "headers": { "accept-language": language } });
        assert_eq!(service.fetch("/languages", options).await, language);
        assert_eq!(service.arrived("/languages").len(), arrives, "{language}");
    }
    assert_eq!(service.handled("/languages"), 2, "both are stored here");

    for (path, handled) in [("/private", 2), ("/three", 1)] {
        for _ in 0..2 {
            assert_eq!(service.fetch(path, plain()).await, "0", "{path}");
        }
        assert_eq!(service.arrived(path).len(), 1, "{path}");
        service.get(path).await;
        assert_eq!(service.handled(path), handled, "{path}");
    }
}

/// What its buttons ask for, and what that costs the handler.
async fn reloads(configure: impl FnOnce(HttpCache) -> HttpCache, handled: usize) {
    let Some(service) = Service::start(configure).await else { return };
    service.visit("/hour").await;
    // To `max-age=0`, a response of this very moment is new enough.
    service.world.ahead.store(1, Ordering::SeqCst);
    service.browser.reload().await;
    assert_eq!(service.arrived("/hour"), [request("", false), request("max-age=0", true)]);
    // The same as a reload with the shift key.
    service.fetch("/hour", json!({ "cache": "reload" })).await;
    assert_eq!(service.arrived("/hour"), [request("no-cache", false)]);
    assert_eq!(service.handled("/hour"), handled);
}

#[tokio::test]
async fn reloading_calls_the_handler_unless_that_is_taken_from_clients() {
    reloads(|cache| cache, 3).await;
    reloads(HttpCache::ignore_request_directives, 1).await;
}

#[tokio::test]
async fn going_back_shows_what_was_there() {
    let Some(service) = Service::start(|cache| cache).await else { return };
    for path in ["/hour", "/asked"] {
        service.visit(path).await;
        let before = service.shown().await;
        service.change().await;
        service.visit("/private").await;
        service.browser.back().await;
        assert_eq!(service.shown().await, before, "{path}");
        assert_eq!(service.arrived(path).len(), 1, "{path}");
        service.browser.forward().await;
    }
}

#[tokio::test]
async fn an_old_page_is_shown_while_a_new_one_is_fetched() {
    let Some(service) = Service::start(|cache| cache).await else { return };
    service.get("/swr").await;
    service.world.ahead.store(20, Ordering::SeqCst);
    service.world.version.store(1, Ordering::SeqCst);
    assert_eq!(service.fetch("/swr", plain()).await, "0", "this cache's old one");
    eventually("a newer one is made behind it", || async { service.handled("/swr") == 2 }).await;
    // It came with its age: the browser gives it once more, and asks for the next one meanwhile.
    assert_eq!(service.fetch("/swr", plain()).await, "0", "the browser's own old one");
    eventually("the newer one", || async { service.fetch("/swr", plain()).await == "1" }).await;
    assert_eq!(service.handled("/swr"), 2);
}

/// Rules, and two queries that are the same by them, or are not.
const QUERIES: [(&str, &str, &str, bool); 12] = [
    ("params=(\"u\")", "a=1&u=2", "a=1&u=3", true),
    ("params=(\"u\")", "a=1&u=2", "a=1", true),
    ("params=(\"u\")", "a=1&u=2", "a=2&u=2", false),
    ("params=(\"u\"), x=1", "a=1&u=1", "a=1&u=2", true),
    ("params=(\"u\" b)", "a=1&u=1", "a=1&u=2", false),
    ("params=(\"u\"), except=(\"a\")", "a=1&u=1", "a=1&u=2", false),
    ("params=(\"%C3%A9\")", "a=1&é=2", "a=1&%C3%A9=5", true),
    ("key-order", "a=1&b=2", "b=2&a=1", true),
    ("key-order", "a=1&a=2", "a=2&a=1", false),
    ("key-order=1", "a=1&b=2", "b=2&a=1", false),
    ("key-order, params=(\"u\")", "a=1&b=2", "b=2&a=1&u=3", true),
    ("params=(\"u\")", "a=x+y", "%61=%78%20y", true),
];

/// Chromium knows `No-Vary-Search` too. It has an older syntax for `except`, which is not tried here.
#[tokio::test]
async fn a_browser_takes_the_same_queries_for_one() {
    let Some(service) = Service::start(|cache| cache.no_vary_search().ignore_request_directives()).await
    else {
        return;
    };
    for (number, (rule, one, other, are_same)) in QUERIES.into_iter().enumerate() {
        let urls = [one, other].map(|query| format!("/search/{number}?{query}"));
        for url in &urls {
            service.fetch(url, plain()).await;
        }
        let of_rule = |path: &str| path.starts_with(&format!("/search/{number}?"));
        let arrived = service.world.arrived.lock().unwrap().iter().filter(|(path, ..)| of_rule(path)).count();
        assert_eq!(arrived == 1, are_same, "in the browser: {rule}, {one}, {other}");
        service
            .browser
            .run("return fetch(arguments[0], { cache: 'reload' }).then(() => 0)", json!([urls[1]]))
            .await;
        let handled = service.world.handled.lock().unwrap().iter().filter(|path| of_rule(path)).count();
        assert_eq!(handled, if are_same { 1 } else { 2 }, "here: {rule}, {one}, {other}");
    }
}

#[tokio::test]
async fn a_browsers_cache_can_be_cleared_by_its_own_request_alone() {
    let Some(service) = Service::start(|cache| cache).await else { return };
    for _ in 0..2 {
        assert_eq!(service.fetch("/private", plain()).await, "0");
    }
    let version = service.change().await;
    service.fetch("/logout", json!({ "method": "POST" })).await;
    eventually("its cache is empty", || async { service.fetch("/private", plain()).await == version }).await;
    assert_eq!(service.arrived("/private").len(), 2);
}
