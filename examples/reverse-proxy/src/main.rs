//! A caching reverse proxy in front of any HTTP server:
//!
//! ```sh
//! UPSTREAM=http://127.0.0.1:8000 cargo run -p reverse-proxy
//! ```
//!
//! What the server's `Cache-Control` allows to be stored is stored here, 256 MiB of it. `ADDRESS` is where it
//! listens: 127.0.0.1:8001 unless it is set.

#![expect(clippy::print_stdout, reason = "where it listens is what this program has to say")]

use std::{env, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header, uri},
    middleware::map_request,
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use larder::MemoryCache;
use larder_http::HttpCache;
use tokio::{net::TcpListener, signal, time::timeout};

/// How long the server may take until it begins to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let upstream = Upstream::new(&env::var("UPSTREAM").context("UPSTREAM has to name a server")?)?;
    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8001".into());

    let cache = HttpCache::new(MemoryCache::new(1)).capacity(256 << 20);
    // Before the cache: what is of the connection chooses no page.
    let app = Router::new().fallback(forward).with_state(upstream).layer(cache).layer(map_request(
        async |mut request: Request| {
            strip_hop_by_hop(request.headers_mut());
            request
        },
    ));

    let listener = TcpListener::bind(&address).await.with_context(|| format!("ADDRESS is {address}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { drop(signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// The server behind.
#[derive(Clone)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    authority: uri::Authority,
}

impl Upstream {
    fn new(url: &str) -> Result<Self> {
        let parts = url.parse::<Uri>().with_context(|| format!("UPSTREAM is {url}"))?.into_parts();
        anyhow::ensure!(parts.scheme == Some(uri::Scheme::HTTP), "UPSTREAM has to begin with http://");
        let authority = parts.authority.context("UPSTREAM has to name a server")?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Ok(Self { client, authority })
    }

    /// The same resource there.
    fn locate(&self, uri: &Uri) -> Result<Uri, axum::http::Error> {
        let path = uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
        Uri::builder().scheme("http").authority(self.authority.clone()).path_and_query(path).build()
    }
}

/// The handler behind the cache: asks the server. The `Host` that it is asked for is the client's.
async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    let Ok(uri) = upstream.locate(request.uri()) else { return StatusCode::BAD_REQUEST.into_response() };
    *request.uri_mut() = uri;
    match timeout(PATIENCE, upstream.client.request(request)).await {
        Ok(Ok(mut response)) => {
            strip_hop_by_hop(response.headers_mut());
            response.map(Body::new)
        }
        Ok(Err(_)) => StatusCode::BAD_GATEWAY.into_response(),
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

/// Fields that are of one connection are not sent on (RFC 9110, section 7.6.1). What every recipient needs is none of
/// them, whatever `Connection` says: where a request is for, how long its body is, and what caches may do with it.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let named: Vec<HeaderName> = lines
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| {
            ![header::HOST, header::CONTENT_LENGTH, header::CACHE_CONTROL, header::VARY].contains(name)
        })
        .collect();
    let fixed =
        ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    for name in named.into_iter().chain(fixed.map(HeaderName::from_static)) {
        headers.remove(name);
    }
}
