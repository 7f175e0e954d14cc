//! Real compression layers, inside of the cache and outside: each client is given what it accepts.

mod support;

use std::{
    collections::HashMap,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder_http::HttpCache;
use support::{
    Handler, Said, TestClock,
    client::{Received, get},
    handler, http_cache,
    servers::{Framework, Server, router, serve_router},
};
use tower_http::compression::CompressionLayer;

const HEADERS: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("content-type", "text/plain")];

fn text() -> String {
    "the same again and ".repeat(500)
}

/// An Actix app with this handler, wrapped as the closure says.
#[cfg(feature = "actix")]
macro_rules! in_actix {
    ($handler:ident, |$app:ident| $wrapped:expr) => {
        move || {
            let handler = $handler.clone();
            let $app = actix_web::App::new();
            $wrapped.default_service(actix_web::web::to(move |request: actix_web::HttpRequest| {
                let said = handler(support::servers::seen_by_actix(&request));
                async move { support::servers::said_by_actix(said.await) }
            }))
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Inside,
    Outside,
}

async fn serve(framework: Framework, side: Side, cache: HttpCache, handler: Handler) -> Server {
    match (framework, side) {
        (Framework::Axum, Side::Inside) => {
            serve_router(router(handler).layer(CompressionLayer::new()).layer(cache)).await
        }
        (Framework::Axum, Side::Outside) => {
            serve_router(router(handler).layer(cache).layer(CompressionLayer::new())).await
        }
        #[cfg(feature = "actix")]
        (Framework::Actix, Side::Inside) => {
            support::servers::actix(in_actix!(handler, |app| app
                .wrap(actix_web::middleware::Compress::default())
                .wrap(cache.clone())))
            .await
        }
        #[cfg(feature = "actix")]
        (Framework::Actix, Side::Outside) => {
            support::servers::actix(in_actix!(handler, |app| app
                .wrap(cache.clone())
                .wrap(actix_web::middleware::Compress::default())))
            .await
        }
    }
}

const ENCODINGS: [&str; 7] = ["identity", "gzip", "gzip", "identity", "none", "gzip", "none"];

/// Asks with what each of these clients accepts, and says how each was answered.
async fn ask_all(server: &Server, what: &str) -> Vec<Received> {
    let mut all = Vec::new();
    for accepted in ENCODINGS {
        let sent = [("accept-encoding", accepted)];
        let headers = if accepted == "none" { &[][..] } else { &sent };
        let received = get(server.address, "/", headers).await;
        let encoding = received.header("content-encoding");
        assert_eq!(encoding.as_deref(), (accepted == "gzip").then_some("gzip"), "{what}: {accepted}");
        assert_eq!(received.decoded(), text(), "{what}: {accepted}");
        let vary = received.header("vary").unwrap_or_default().to_ascii_lowercase();
        if accepted == "gzip" {
            assert!(vary.contains("accept-encoding"), "{what}: {received:?}");
        }
        all.push(received);
    }
    all
}

/// The recipe of the docs.
#[tokio::test]
async fn inside_each_encoding_is_stored_and_has_a_tag_of_its_own() {
    for &framework in Framework::ALL {
        for own in [false, true] {
            let what = format!("{framework:?}, the handler's own tag: {own}");
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = asked.clone();
            let said = handler(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                let tag = own.then_some(("etag", "W/\"weak\""));
                ready(Said::new(&[HEADERS, tag.as_slice()].concat(), text()))
            });
            let cache = http_cache(&TestClock::new()).vary("accept-encoding");
            let server = serve(framework, Side::Inside, cache, said).await;
            let all = ask_all(&server, &what).await;
            // One for each: `identity`, `gzip`, and none that says.
            assert_eq!(asked.load(Ordering::SeqCst), 3, "{what}");
            let mut strong: HashMap<String, Option<String>> = HashMap::new();
            for (accepted, received) in ENCODINGS.iter().zip(all) {
                let vary = received.header("vary").unwrap();
                assert!(vary.eq_ignore_ascii_case("accept-encoding"), "{what}: {vary}");
                // A stream is on its way before its body is known: it has no tag, the first time.
                let tag = received.header("etag");
                assert!(tag.is_some() || !received.is_hit(), "{what}: {received:?}");
                let Some(tag) = tag else { continue };
                assert_eq!(tag.starts_with("W/"), own, "{what}: {tag}");
                let encoding = received.header("content-encoding");
                if !own {
                    let named = strong.entry(tag.clone()).or_insert_with(|| encoding.clone());
                    assert_eq!(*named, encoding, "{what}: {tag} names two encodings");
                }
                let headers = [("accept-encoding", *accepted), ("if-none-match", &tag)];
                let headers = if *accepted == "none" { &headers[1..] } else { &headers };
                let again = get(server.address, "/", headers).await;
                assert_eq!(again.status, 304, "{what}: {accepted}");
                assert_eq!(again.header("content-encoding"), None, "{what}: {accepted}");
                assert_eq!(again.header("etag").as_deref(), Some(&*tag), "{what}: {accepted}");
            }
            assert_eq!(asked.load(Ordering::SeqCst), 3, "{what}");
        }
    }
}

/// Not the recipe: the tags of two encodings are the layer's matter there. What clients get is right all the same.
#[tokio::test]
async fn outside_each_client_is_given_what_it_accepts() {
    for &framework in Framework::ALL {
        let what = format!("{framework:?}");
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let said = handler(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            ready(Said::new(HEADERS, text()))
        });
        let server = serve(framework, Side::Outside, http_cache(&TestClock::new()), said).await;
        let all = ask_all(&server, &what).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{what}");
        let tag = all[0].header("etag").unwrap();
        let headers = [("accept-encoding", "gzip"), ("if-none-match", &*tag)];
        let again = get(server.address, "/", &headers).await;
        assert_eq!(again.status, 304, "{what}");
    }
}
