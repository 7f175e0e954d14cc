//! What the proxy with Axum and the one with Actix have in common: the server behind, and the cache.

use std::{env, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, header, uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use larder::MemoryCache;
use larder_http::HttpCache;
use tokio::time::timeout;

/// How long the server may take until it begins to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server behind the cache.
#[derive(Debug)]
pub struct Upstream<B> {
    client: Client<HttpConnector, B>,
    authority: uri::Authority,
}

impl<B> Clone for Upstream<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), authority: self.authority.clone() }
    }
}

impl<B> Upstream<B>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    /// The server that `UPSTREAM` names.
    ///
    /// # Errors
    ///
    /// If it names none.
    pub fn from_env() -> Result<Self> {
        let url = env::var("UPSTREAM").context("UPSTREAM has to name a server")?;
        let parts = url.parse::<Uri>().with_context(|| format!("UPSTREAM is {url}"))?.into_parts();
        ensure!(parts.scheme == Some(uri::Scheme::HTTP), "UPSTREAM has to begin with http://");
        let authority = parts.authority.context("UPSTREAM has to name a server")?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Ok(Self { client, authority })
    }

    /// Asks the server. The `Host` that it is asked for is the client's.
    ///
    /// # Errors
    ///
    /// The status for the client if there is no response.
    pub async fn ask(&self, mut request: Request<B>) -> Result<Response<Incoming>, StatusCode> {
        *request.uri_mut() = self.locate(request.uri()).map_err(|_| StatusCode::BAD_REQUEST)?;
        match timeout(PATIENCE, self.client.request(request)).await {
            Ok(Ok(mut response)) => {
                strip_hop_by_hop(response.headers_mut());
                Ok(response)
            }
            Ok(Err(_)) => Err(StatusCode::BAD_GATEWAY),
            Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    /// The same resource there.
    fn locate(&self, uri: &Uri) -> Result<Uri, http::Error> {
        let path = uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
        Uri::builder().scheme("http").authority(self.authority.clone()).path_and_query(path).build()
    }
}

/// The address to listen at: `ADDRESS`, or 127.0.0.1:8001.
#[must_use]
pub fn address() -> String {
    env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8001".into())
}

/// A cache in 256 MiB of memory, with the options of `larder-http` that `OPTIONS` names, separated by blanks.
///
/// # Errors
///
/// If there is no such option.
pub fn cache() -> Result<HttpCache> {
    let mut cache = HttpCache::new(MemoryCache::new(1)).capacity(256 << 20);
    for option in env::var("OPTIONS").unwrap_or_default().split_whitespace() {
        cache = match option {
            "extend_s_maxage" => cache.extend_s_maxage(),
            "heuristic_freshness" => cache.heuristic_freshness(),
            "ignore_language_order" => cache.ignore_language_order(),
            "ignore_request_directives" => cache.ignore_request_directives(),
            // Every response is the same for all clients.
            "public" => cache.public_under("/"),
            "store_set_cookie" => cache.store_set_cookie(),
            other => bail!("OPTIONS names `{other}`, which is not an option of this proxy: see its README"),
        };
    }
    Ok(cache)
}

/// Removes the headers of one connection, which are not sent on (RFC 9110, section 7.6.1). What every recipient needs is
/// none of them, whatever `Connection` says: where a request is for, how long its body is, and what caches may do with it.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    for name in hop_by_hop(lines) {
        headers.remove(name);
    }
}

/// The names of the headers that [`strip_hop_by_hop`] removes where `Connection` has these lines.
pub fn hop_by_hop<'a>(connection: impl Iterator<Item = &'a str>) -> Vec<HeaderName> {
    let named = connection
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| {
            ![header::HOST, header::CONTENT_LENGTH, header::CACHE_CONTROL, header::VARY].contains(name)
        });
    let fixed =
        ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    named.chain(fixed.map(HeaderName::from_static)).collect()
}
