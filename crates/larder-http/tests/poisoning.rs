//! What one client sends is not made into what another one gets, where no `Vary` says that it matters.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{future::ready, time::Duration};

use support::{
    Handler, Said, TestClock,
    client::get as ask,
    handler, http_cache,
    servers::{Framework, router, serve_router},
    table::{case, get, run},
};

/// A handler that builds a link from the host it is told.
fn links() -> Handler {
    handler(|seen| {
        let link = format!("https://{}/login", seen.header("host").unwrap_or_default());
        ready(Said::new(&[("cache-control", "public, max-age=60")], link))
    })
}

async fn poison_by_host(evil: &str) {
    for framework in Framework::ALL {
        let server = framework.serve(http_cache(&TestClock::new()), links()).await;
        let poisoned = ask(server.address, "/", &[("host", evil)]).await;
        let victim = ask(server.address, "/", &[]).await;
        assert_eq!(victim.text(), "https://example.com/login", "{framework:?}; evil got {poisoned:?}");
    }
}

#[tokio::test]
async fn a_host_with_userinfo_poisons_nothing() {
    poison_by_host("evil.example/?@example.com").await;
}

#[tokio::test]
async fn a_host_with_a_wellknown_port_poisons_nothing() {
    poison_by_host("example.com:443").await;
}

#[cfg(feature = "actix")]
mod over_http2 {
    use actix_web::{App, HttpResponse, web};
    use bytes::Bytes;

    use super::*;

    /// A server of HTTP/2 that answers with its host and the request's body.
    async fn serve_http2() -> std::net::SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cache = http_cache(&TestClock::new());
        let echo = |request: actix_web::HttpRequest, body: web::Bytes| async move {
            let text = format!("{}: {}", request.connection_info().host(), String::from_utf8_lossy(&body));
            HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body(text)
        };
        let app = move || App::new().wrap(cache.clone()).route("/", web::get().to(echo));
        let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
        drop(actix_web::rt::spawn(server.listen_auto_h2c(listener).unwrap().run()));
        address
    }

    async fn ask_http2(at: std::net::SocketAddr, uri: &str, body: Option<&'static str>) -> String {
        let stream = tokio::net::TcpStream::connect(at).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        drop(actix_web::rt::spawn(async move { drop(connection.await) }));
        let mut client = client.ready().await.unwrap();
        let request = http02::Request::get(uri).body(()).unwrap();
        let (response, mut sending) = client.send_request(request, body.is_none()).unwrap();
        if let Some(body) = body {
            sending.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
        }
        let mut body = response.await.unwrap().into_body();
        let mut text = Vec::new();
        while let Some(chunk) = body.data().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    /// HTTP/2 bodies need no `Content-Length`.
    #[actix_web::test]
    async fn a_body_without_a_length_poisons_nothing() {
        let at = serve_http2().await;
        assert_eq!(ask_http2(at, "http://example.com/", Some("evil")).await, "example.com: evil");
        assert_eq!(ask_http2(at, "http://example.com/", None).await, "example.com: ");
    }

    #[actix_web::test]
    async fn an_authority_with_userinfo_poisons_nothing() {
        let at = serve_http2().await;
        let evil = ask_http2(at, "http://evil.example@example.com/", None).await;
        assert_eq!(ask_http2(at, "http://example.com/", None).await, "example.com: ", "evil got {evil}");
    }
}

/// Commas and blanks around them mean something in fields that are no lists.
#[tokio::test]
async fn cookies_are_compared_as_they_stand() {
    run([case(
        "a blank after a comma",
        [
            get()
                .sends("cookie", "name=Smith, John")
                .says("cache-control", "max-age=60")
                .says("vary", "cookie"),
            get().sends("cookie", "name=Smith,John").asked(),
        ],
    )])
    .await;
}

/// A handler that says nothing has not said that its answer is for all clients that have a key to an API.
#[tokio::test]
async fn silent_answers_to_those_who_say_who_they_are_are_not_shared() {
    for name in ["x-api-key", "proxy-authorization", "x-forwarded-user", "x-auth-request-email"] {
        run([case(
            name,
            [get().sends(name, "alice").says_body("alice's"), get().sends(name, "bob").asked()],
        )
        .configured(|cache| cache.ttl(Duration::from_secs(60)))])
        .await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn user_of(request: &http::request::Parts) -> String {
    let user = request.headers.get("x-user").and_then(|user| user.to_str().ok());
    user.unwrap_or_default().to_owned()
}

const OWN: [&str; 6] = ["x-user", "x-session", "token", "x-tenant", "from", "x-auth-2"];

/// A service may know its users by any header. A list of such headers cannot be complete.
#[tokio::test]
async fn silent_answers_to_a_header_of_ones_own_are_not_shared() {
    let silent = |cache: larder_http::HttpCache| cache.ttl(Duration::from_secs(60));
    let alice = |name| get().sends(name, "alice").says_body("alice's");
    let mut cases = Vec::new();
    for name in OWN {
        cases.push(
            case(
                name,
                [
                    alice(name).asked().cache_status("detail=personal"),
                    get().sends(name, "bob").asked().says_body("bob's").body("bob's"),
                    get().asked().says_body("default").body("default"),
                    get().hit().body("default"),
                    alice(name).asked().body("alice's"),
                ],
            )
            .configured(silent),
        );
        cases.push(
            case(
                "Vary tells them apart",
                [
                    alice(name).says("vary", name).asked(),
                    alice(name).hit().body("alice's"),
                    get().sends(name, "bob").asked(),
                    get().says("vary", name).asked(),
                    alice(name).sends("x-other", "1").asked(),
                ],
            )
            .configured(silent),
        );
        cases.push(
            case(
                "the handler says that it is for all",
                [alice(name).says("cache-control", "public"), get().sends(name, "bob").hit(), get().hit()],
            )
            .configured(silent),
        );
    }
    type Setting = fn(larder_http::HttpCache) -> larder_http::HttpCache;
    let told: [(&str, Setting, bool); 5] = [
        ("key_header", |cache| cache.ttl(MINUTE).key_header("x-user"), false),
        ("a key that repeats it", |cache| cache.ttl(MINUTE).key(user_of), false),
        ("ignore_header", |cache| cache.ttl(MINUTE).ignore_header("X-User"), true),
        ("public_under", |cache| cache.ttl(MINUTE).public_under("/page"), true),
        ("public_under another path", |cache| cache.ttl(MINUTE).public_under("/pages"), false),
    ];
    for (name, configure, shared) in told {
        let bob = get().sends("x-user", "bob").says_body("bob's");
        let bob = if shared { bob.hit() } else { bob.asked().body("bob's") };
        let again = alice("x-user");
        let again = if name.contains("another") { again.asked() } else { again.hit().body("alice's") };
        cases.push(case(name, [alice("x-user"), bob, again]).configured(configure));
    }
    for name in
        ["user-agent", "sec-ch-ua", "sec-fetch-site", "x-request-id", "x-forwarded-for", "referer", "dnt"]
    {
        cases.push(case(name, [alice(name).asked(), get().sends(name, "bob").hit()]).configured(silent));
    }
    run(cases).await;
}

#[derive(Clone)]
struct Tenant(String);

fn by_tenant(clock: &TestClock) -> larder_http::HttpCache {
    let cache = http_cache(clock);
    #[cfg(feature = "actix")]
    let cache = cache.with_extension::<Tenant>();
    cache
        .key(|request| request.extensions.get::<Tenant>().map_or_else(String::new, |tenant| tenant.0.clone()))
}

/// What an outer middleware found out about the request is there for `key` in both frameworks.
#[tokio::test]
async fn extensions_can_be_in_the_key_in_axum() {
    let tenant = |mut request: axum::extract::Request, next: axum::middleware::Next| {
        let tenant = request.headers()["x-token"].to_str().unwrap().to_owned();
        request.extensions_mut().insert(Tenant(tenant));
        next.run(request)
    };
    let echo = handler(|seen| {
        let body = seen.header("x-token").unwrap().to_owned();
        ready(Said::new(&[("cache-control", "max-age=60")], body))
    });
    let routes = router(echo).layer(by_tenant(&TestClock::new())).layer(axum::middleware::from_fn(tenant));
    let server = serve_router(routes).await;
    for name in ["one", "two"] {
        assert_eq!(ask(server.address, "/", &[("x-token", name)]).await.text(), name);
    }
}

#[cfg(feature = "actix")]
#[actix_web::test]
async fn extensions_can_be_in_the_key_in_actix() {
    use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, dev::Service as _, test, web};

    let echo = |request: HttpRequest| async move {
        let tenant = request.extensions().get::<Tenant>().unwrap().0.clone();
        HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body(tenant)
    };
    let app = App::new().route("/", web::get().to(echo)).wrap(by_tenant(&TestClock::new())).wrap_fn(
        |request, service| {
            let tenant = request.headers().get("x-token").unwrap().to_str().unwrap().to_owned();
            request.extensions_mut().insert(Tenant(tenant));
            service.call(request)
        },
    );
    let app = test::init_service(app).await;
    for name in ["one", "two"] {
        let request = test::TestRequest::get().uri("/").insert_header(("x-token", name)).to_request();
        assert_eq!(test::call_and_read_body(&app, request).await, name);
    }
}

/// What a middleware between router and cache makes of the URI is what the handler answers.
#[cfg(feature = "axum")]
#[tokio::test]
async fn a_rewritten_uri_is_in_the_key() {
    let rewrite = |mut request: axum::extract::Request, next: axum::middleware::Next| {
        let tenant = request.headers()["x-token"].to_str().unwrap().to_owned();
        *request.uri_mut() = format!("/page?tenant={tenant}").parse().unwrap();
        next.run(request)
    };
    let echo = handler(|seen| ready(Said::new(&[("cache-control", "max-age=60")], seen.uri)));
    let routes = router(echo).layer(http_cache(&TestClock::new())).layer(axum::middleware::from_fn(rewrite));
    let server = serve_router(routes).await;
    for name in ["one", "two"] {
        let received = ask(server.address, "/page", &[("x-token", name)]).await;
        assert_eq!(received.text(), format!("/page?tenant={name}"));
    }
}
