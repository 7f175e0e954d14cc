//! The proxy in front of a real server, asked by a real client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{HeaderMap, Request, StatusCode},
    response::Response,
    routing::{get, post},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, task::JoinHandle};

/// Ends with the test.
struct Proxy {
    process: Child,
    url: String,
}

impl Proxy {
    fn start(upstream: SocketAddr) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_reverse-proxy"), upstream)
    }

    fn start_program(program: &str, upstream: SocketAddr) -> Self {
        let mut process = Command::new(program)
            .env("UPSTREAM", format!("http://{upstream}"))
            .env("ADDRESS", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, url }
    }

    /// The status of a response, and what became of its request.
    async fn get(&self, path: &str) -> (u16, String) {
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("{}{path}", self.url)).body(Body::empty()).unwrap();
        let response: Response<_> = client.request(request).await.unwrap();
        let cache_status = response.headers()["cache-status"].to_str().unwrap().to_owned();
        (response.status().as_u16(), cache_status)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A server that counts what it is asked, and is gone when its task is.
async fn upstream() -> (SocketAddr, Arc<AtomicU32>, JoinHandle<()>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let page = move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        ([("cache-control", "max-age=60"), ("connection", "x-hop"), ("x-hop", "1")], "page")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/page", get(page));
    (address, asked, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

#[tokio::test]
async fn the_second_client_is_answered_from_the_cache() {
    let (address, asked, server) = upstream().await;
    let proxy = Proxy::start(address);
    assert_eq!(proxy.get("/page").await, (200, "larder; fwd=uri-miss; stored".into()));
    let (status, told) = proxy.get("/page").await;
    assert!(status == 200 && told.starts_with("larder; hit"), "{status} {told}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(proxy.get("/none").await.0, 404);

    server.abort();
    drop(server.await);
    assert_eq!(proxy.get("/page").await.0, 200, "what is stored needs no server");
    // A connection that was open may still have a server behind it.
    while proxy.get("/gone").await.0 == 404 {}
    assert_eq!(proxy.get("/gone").await.0, 502);
}

/// What `Connection` names is gone before the cache looks for a page; what it may not name stays.
#[tokio::test]
async fn what_connection_names_chooses_no_page() {
    let tenant = |headers: HeaderMap| async move {
        let of = |name: &str| headers.get(name).map_or("none", |value| value.to_str().unwrap()).to_owned();
        let body = format!("{} at {}", of("x-tenant"), of("host"));
        ([("cache-control", "public, max-age=60"), ("vary", "x-tenant")], body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/", get(tenant));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    for program in [env!("CARGO_BIN_EXE_reverse-proxy"), env!("CARGO_BIN_EXE_reverse-proxy-actix")] {
        let proxy = Proxy::start_program(program, address);
        let ask = async |headers: &[(&str, &str)]| {
            let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
            let mut request = Request::get(&proxy.url).header("host", "acme.example");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response: Response<_> = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
            let body = axum::body::to_bytes(Body::new(response.into_body()), 1000).await.unwrap();
            String::from_utf8(body.to_vec()).unwrap()
        };
        let acme = ("x-tenant", "acme");
        assert_eq!(ask(&[acme, ("connection", "x-tenant")]).await, "none at acme.example");
        assert_eq!(ask(&[acme]).await, "acme at acme.example");
        assert_eq!(ask(&[]).await, "none at acme.example");
        assert_eq!(
            ask(&[("x-tenant", "b"), ("connection", "Host, cache-control")]).await,
            "b at acme.example"
        );
    }
}

/// Nothing is added to what the server says: a 304 that does not name a type leaves that of the stored page as it is.
#[tokio::test]
async fn a_page_keeps_its_type_when_it_is_found_current() {
    let page = |headers: HeaderMap| async move {
        let is_known = headers.contains_key("if-none-match");
        let mut response = Response::new(Body::from(if is_known { "" } else { "page" }));
        *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        for (name, value) in [("cache-control", "no-cache"), ("etag", "\"1\"")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        if !is_known {
            response.headers_mut().insert("content-type", "text/x-page".parse().unwrap());
        }
        response
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/", get(page));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    for program in [env!("CARGO_BIN_EXE_reverse-proxy"), env!("CARGO_BIN_EXE_reverse-proxy-actix")] {
        let proxy = Proxy::start_program(program, address);
        for told in ["larder; fwd=uri-miss; stored", "larder; fwd=stale; fwd-status=304; stored"] {
            let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
            let request = Request::get(&proxy.url).body(Body::empty()).unwrap();
            let response = client.request(request).await.unwrap();
            assert_eq!(response.headers()["cache-status"], told, "{program}");
            assert_eq!(response.headers()["content-type"], "text/x-page", "{program}: {told}");
        }
    }
}

/// An upload goes through.
#[tokio::test]
async fn what_a_client_sends_reaches_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let length = async |body: Body| axum::body::to_bytes(body, 2 << 20).await.unwrap().len().to_string();
    let app = Router::new().route("/", post(length)).layer(DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    for program in [env!("CARGO_BIN_EXE_reverse-proxy"), env!("CARGO_BIN_EXE_reverse-proxy-actix")] {
        let proxy = Proxy::start_program(program, address);
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(&proxy.url).body(Body::from(vec![b'x'; 1 << 20])).unwrap();
        let response: Response<_> = client.request(request).await.unwrap();
        assert_eq!(response.status(), 200, "{program}");
        let body = axum::body::to_bytes(Body::new(response.into_body()), 1000).await.unwrap();
        assert_eq!(body, "1048576", "{program}");
    }
}

#[test]
fn what_is_set_wrongly_is_named() {
    for (upstream, said) in
        [(None, "UPSTREAM has to name a server"), (Some("https://a"), "begin with http://")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reverse-proxy"));
        command.env_remove("UPSTREAM");
        if let Some(upstream) = upstream {
            command.env("UPSTREAM", upstream);
        }
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(said), "{told}");
    }
}
