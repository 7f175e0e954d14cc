//! The admin routes, in both frameworks and over TCP.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::Full;
use larder::{CacheExt as _, MemoryCache, Policy, Scope};
use larder_http::Admin;
use serde_json::{Value, json};

use crate::support::{
    client::{Received, request, send},
    servers::{Framework, Server, actix, serve_router},
};

/// Where the routes are mounted.
const MOUNT: &str = "/admin/cache";

impl Framework {
    /// The routes without anything in front of them.
    pub(crate) async fn administer(self, admin: Admin) -> Server {
        match self {
            Self::Axum => serve_router(Router::new().nest(MOUNT, admin.into_router())).await,
            Self::Actix => actix(move || actix_web::App::new().service(admin.scope(MOUNT))).await,
        }
    }
}

/// An answer, with what all of them have in common checked.
fn checked(received: Received) -> (u16, Value) {
    assert_eq!(received.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(received.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(received.header("x-content-type-options").as_deref(), Some("nosniff"));
    let body = serde_json::from_str(&received.text()).unwrap();
    (received.status, body)
}

pub(crate) async fn ask(server: &Server, path: &str) -> (u16, Value) {
    checked(send(server.address, request("GET", &format!("{MOUNT}{path}"), &[])).await)
}

async fn send_body(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Received {
    let request = request("POST", &format!("{MOUNT}{path}"), headers);
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    send(server.address, request.map(|_| body)).await
}

pub(crate) async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let json = [("content-type", "application/json; charset=utf-8")];
    checked(send_body(server, path, &json, &body.to_string()).await)
}

fn minute() -> Policy {
    Policy::ttl(Duration::from_secs(60))
}

/// Four users, of which two have a tag, and a page that is made of one.
async fn filled() -> MemoryCache {
    let cache = MemoryCache::new(1_000);
    let tagged = Policy::builder().ttl(Duration::from_secs(60)).tag("even").build().unwrap();
    for id in 0..4 {
        let policy = if id % 2 == 0 { tagged.clone() } else { minute() };
        cache.insert(&format!("user:{id}"), &"a secret value".to_owned(), policy).await.unwrap();
    }
    let page = cache.get_or_compute("page", minute(), async || cache.get::<String>("user:3").await);
    page.await.unwrap();
    cache
}

fn names(page: &Value) -> Vec<&str> {
    page["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_keys_are_shown_and_no_values() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        cache.get::<String>("user:1").await.unwrap();
        let (status, stats) = ask(&server, "/stats").await;
        assert_eq!(status, 200);
        assert_eq!(
            (&stats["enabled"], &stats["redis"], &stats["entries"]),
            (&json!(true), &json!(null), &json!(5))
        );
        for (name, count) in cache.stats().iter() {
            assert_eq!(stats["counters"][name], count, "{framework:?}: {name}");
        }
        let by_hand = &stats["functions"][0];
        assert_eq!(
            (&by_hand["function"], &by_hand["computing"]["count"]),
            (&json!(""), &json!(1)),
            "{stats}"
        );

        let (status, all) = ask(&server, "/keys").await;
        assert_eq!((status, names(&all)), (200, vec!["page", "user:0", "user:1", "user:2", "user:3"]));
        assert_eq!(all["next"], Value::Null);
        let user = &all["keys"][1];
        assert_eq!(
            (&user["state"], &user["served"], &user["shared"]),
            (&json!("valid"), &json!(true), &json!(true))
        );
        assert!((1..=60_000).contains(&user["ttl_ms"].as_u64().unwrap()), "{user}");
        for path in ["/stats", "/keys", "/explain/user:1", "/health"] {
            let (status, answer) = ask(&server, path).await;
            assert!(status == 200 && !answer.to_string().contains("secret"), "{path}: {answer}");
        }
        assert_eq!(
            ask(&server, "/health").await,
            (
                200,
                json!({
                    "status": "ok", "why": null, "enabled": true, "redis": null,
                })
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_in_pages_and_the_cut_is_told() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        let (mut path, mut seen) = ("/keys?prefix=user:*&limit=3".to_owned(), Vec::new());
        loop {
            let (_, page) = ask(&server, &path).await;
            seen.extend(names(&page).into_iter().map(str::to_owned));
            assert!(seen.len() <= 4, "{seen:?}");
            let Some(next) = page["next"].as_str() else { break };
            assert_eq!(names(&page).len(), 3);
            path = format!("/keys?prefix=user%3A&limit=3&after={next}");
        }
        assert_eq!(seen, ["user:0", "user:1", "user:2", "user:3"]);

        let users = larder_http::admin(cache.namespace("user"));
        let server = framework.administer(users).await;
        assert_eq!(names(&ask(&server, "/keys").await.1), ["0", "1", "2", "3"], "named as it names them");
        assert_eq!(names(&ask(&server, "/keys?limit=1&after=2").await.1), ["3"]);
        assert_eq!(ask(&server, "/explain/2").await.1["state"], "valid");

        // Few keys, and long ones.
        let cache = MemoryCache::new(1_000);
        for id in 0..40 {
            cache.insert(&format!("{id}:{}", "x".repeat(60_000)), &id, minute()).await.unwrap();
        }
        let server = framework.administer(larder_http::admin(cache)).await;
        let (_, page) = ask(&server, "/keys?limit=1000").await;
        let shown = names(&page);
        assert!((10..=20).contains(&shown.len()), "{}", shown.len());
        assert_eq!(page["next"].as_str(), shown.last().copied());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_explained_why_a_key_is_served_or_not() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        let explain = async |path: &str| ask(&server, &format!("/explain/{path}")).await.1;
        let page = explain("page?from=user:3").await;
        assert_eq!(
            (&page["key"], &page["served"], &page["state"]),
            (&json!("page"), &json!(true), &json!("valid"))
        );
        assert_eq!((&page["tier"], &page["why"]), (&json!("memory"), &Value::Null));
        let scopes: Vec<_> = page["scopes"].as_array().unwrap().iter().map(|scope| &scope["name"]).collect();
        for name in ["page", "user:3", "user:*", "everything"] {
            assert!(scopes.contains(&&json!(name)), "{page}");
        }
        assert!(page["scopes"].as_array().unwrap().iter().all(|scope| scope["since_computed"] == false));

        cache.invalidate("user:3");
        let page = explain("page?from=user:3").await;
        assert_eq!((&page["served"], &page["state"]), (&json!(false), &json!("invalidated")));
        assert_eq!(page["why"], "invalidated since: user:3");
        assert_eq!(
            (&page["scopes"][0]["name"], &page["scopes"][0]["since_computed"]),
            (&json!("user:3"), &json!(true))
        );
        cache.invalidate(Scope::tag("even"));
        assert_eq!(explain("user:2?tag=even").await["why"], "invalidated since: tag even");
        assert_eq!(explain("user:9").await["state"], "absent");

        // Keys with whatever in them.
        for (key, path) in
            [("a/b:c d", "a/b:c%20d"), ("100%25", "100%2525"), ("ü+", "%C3%BC%2B"), ("<b>", "%3Cb%3E")]
        {
            cache.insert(key, &1, minute()).await.unwrap();
            let explained = explain(path).await;
            assert_eq!(
                (&explained["key"], &explained["served"]),
                (&json!(key), &json!(true)),
                "{framework:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_is_invalidated_and_nothing_else() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        let left = async || {
            let entries = cache.entries_in_memory(Scope::all());
            entries
                .into_iter()
                .filter(|entry| entry.is_servable)
                .map(|entry| entry.key.to_string())
                .collect::<Vec<_>>()
        };
        let all = ["page", "user:0", "user:1", "user:2", "user:3"];
        for (wrong, hint) in [
            (json!({}), "name something"),
            (json!({ "scopes": [], "tags": [] }), "name something"),
            (json!({ "scopes": ["*"] }), "\"all\": true"),
            (json!({ "scopes": ["user:1", "us*"] }), "PREFIX:*"),
            (json!({ "scopes": [""] }), "empty"),
            (json!({ "all": true, "tags": ["even"] }), "leave out"),
            (json!({ "scope": ["user:1"] }), "unknown field `scope`"),
            (json!({ "scopes": "user:1" }), "expected a sequence"),
            (json!({ "scopes": ["user:1"], "all": 1 }), "expected a boolean"),
        ] {
            let (status, answer) = post(&server, "/invalidate", &wrong).await;
            assert_eq!(status, 400, "{wrong}");
            assert!(answer["error"].as_str().unwrap().contains(hint), "{wrong}: {answer}");
            assert_eq!(left().await, all, "{wrong}");
        }

        let marked = post(&server, "/invalidate", &json!({ "scopes": ["user:1"], "soft": true })).await;
        assert_eq!(
            marked,
            (200, json!({ "marked_stale": ["user:1"], "outcome": "delivered", "epoch": null }))
        );
        assert_eq!((cache.stats().marks, cache.stats().invalidations), (1, 0));
        assert_eq!(
            left().await,
            ["page", "user:0", "user:2", "user:3"],
            "without a window there is no use for it"
        );

        let done = post(&server, "/invalidate", &json!({ "scopes": ["user:1"], "tags": ["even"] })).await;
        let names = json!(["user:1", "tag even"]);
        assert_eq!(done, (200, json!({ "invalidated": names, "outcome": "delivered", "epoch": null })));
        assert_eq!(left().await, ["page", "user:3"]);
        post(&server, "/invalidate", &json!({ "scopes": ["user:*"], "exact": true })).await;
        assert_eq!(left().await, ["page", "user:3"], "that is a key");
        post(&server, "/invalidate", &json!({ "scopes": ["user:*"] })).await;
        assert_eq!(left().await, Vec::<String>::new());
        cache.insert("other", &1, minute()).await.unwrap();
        assert_eq!(
            post(&server, "/invalidate", &json!({ "all": true })).await.1["invalidated"],
            json!(["everything"])
        );
        assert_eq!(left().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_switched_off_and_on() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        assert_eq!(post(&server, "/disable", &json!({})).await, (200, json!({ "enabled": false })));
        assert!(!cache.is_enabled());
        assert_eq!(ask(&server, "/health").await.1["enabled"], false);
        let explained = ask(&server, "/explain/user:1").await.1;
        assert_eq!(explained["served"], false);
        assert!(explained["why"].as_str().unwrap().contains("disabled"), "{explained}");
        assert_eq!(post(&server, "/enable", &json!({ "now": true })).await.0, 400);
        assert!(!cache.is_enabled());
        assert_eq!(post(&server, "/enable", &json!({})).await, (200, json!({ "enabled": true })));
        assert!(cache.is_enabled());
    }
}

/// What changes something takes a request that no form of another site can send, and a small one.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_by_a_link_a_form_or_a_flood() {
    for &framework in Framework::ALL {
        let cache = filled().await;
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        for path in ["/invalidate", "/disable", "/enable"] {
            for method in ["GET", "PUT", "DELETE"] {
                let headers = [("content-type", "application/json")];
                let answer = send(server.address, request(method, &format!("{MOUNT}{path}"), &headers)).await;
                assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("POST")));
            }
            for headers in [
                &[][..],
                &[("content-type", "text/plain")],
                &[("content-type", "application/x-www-form-urlencoded")],
                &[("content-type", "multipart/form-data; boundary=application/json")],
                &[("content-type", "text/plain; application/json")],
            ] {
                let answer = send_body(&server, path, headers, r#"{"all": true}"#).await;
                assert_eq!(checked(answer).0, 415, "{framework:?}: {path}, {headers:?}");
            }
        }
        let json = [("content-type", "application/json")];
        let many: Vec<_> = (0..20_000).map(|id| format!("user:{id}")).collect();
        let large = send_body(&server, "/invalidate", &json, &json!({ "scopes": many }).to_string()).await;
        assert_eq!(checked(large).0, 413);
        for broken in ["", "{", r#"{"scopes": ["user:1"]"#, "[]", "\u{0}"] {
            assert_eq!(checked(send_body(&server, "/invalidate", &json, broken).await).0, 400, "{broken}");
        }
        for path in [
            "/keys?limit=0",
            "/keys?limit=1001",
            "/keys?limit=x",
            "/keys?prefix=a*b",
            "/keys?begin=a",
            "/explain/%FF?x",
            "/explain/a?x=1",
            "/keys?after=%FF",
        ] {
            let (status, answer) = ask(&server, path).await;
            assert_eq!(status, 400, "{framework:?}: {path}: {answer}");
        }
        let posted = post(&server, "/stats", &json!({})).await;
        assert_eq!(posted.0, 405);
        assert!(cache.is_enabled());
        assert_eq!(cache.entries_in_memory(Scope::all()).iter().filter(|entry| entry.is_servable).count(), 5);
    }
}

/// What stands around the routes stands in front of each of them, and of what is none.
#[tokio::test(flavor = "multi_thread")]
async fn authentication_around_them_covers_them_all() {
    async fn only_operators(request: Request, next: Next) -> Response {
        match request.headers().get("authorization") {
            Some(sent) if sent == "Bearer secret" => next.run(request).await,
            _ => http::StatusCode::UNAUTHORIZED.into_response(),
        }
    }

    async fn only_operators_in_actix(
        request: actix_web::dev::ServiceRequest,
        next: actix_web::middleware::Next<actix_web::body::BoxBody>,
    ) -> actix_web::Result<actix_web::dev::ServiceResponse> {
        match request.headers().get("authorization") {
            Some(sent) if sent == "Bearer secret" => next.call(request).await,
            _ => Err(actix_web::error::ErrorUnauthorized("")),
        }
    }

    let cache = filled().await;
    let admin = larder_http::admin(cache.clone());
    let layered = admin.clone().into_router().layer(from_fn(only_operators));
    // This one covers routes alone.
    let routed = Router::new().merge(admin.clone().into_router()).route_layer(from_fn(only_operators));
    let servers = [
        serve_router(Router::new().nest(MOUNT, layered)).await,
        serve_router(Router::new().nest(MOUNT, routed)).await,
        actix(move || {
            let operators = actix_web::middleware::from_fn(only_operators_in_actix);
            actix_web::App::new()
                .service(actix_web::web::scope("").service(admin.scope(MOUNT).wrap(operators)))
        })
        .await,
    ];
    let routes = [
        ("GET", "/stats"),
        ("GET", "/keys"),
        ("GET", "/explain/user:1"),
        ("GET", "/health"),
        ("POST", "/invalidate"),
        ("POST", "/disable"),
        ("POST", "/enable"),
    ];
    for (index, server) in servers.iter().enumerate() {
        for (method, path) in routes {
            let send = async |secret: Option<&str>| {
                let mut headers = vec![("content-type", "application/json")];
                headers.extend(secret.map(|secret| ("authorization", secret)));
                let request = request(method, &format!("{MOUNT}{path}"), &headers);
                send(server.address, request.map(|_| Full::new(Bytes::from_static(br#"{"tags":["x"]}"#))))
                    .await
            };
            assert_eq!(send(None).await.status, 401, "{index}: {path}");
            assert_eq!(send(Some("Bearer guess")).await.status, 401, "{index}: {path}");
            assert!(cache.is_enabled());
            assert!([200, 400].contains(&send(Some("Bearer secret")).await.status), "{index}: {path}");
        }
    }
}
