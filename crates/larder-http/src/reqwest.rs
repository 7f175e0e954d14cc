//! The cache in front of a `reqwest` client.

#[cfg(feature = "reqwest-middleware")]
mod middleware;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use ::reqwest::{Client, Error, IntoUrl, Method, Request, Response, ResponseBuilderExt as _, Url};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use sync_wrapper::SyncWrapper;
use tokio::time::{Instant, sleep, timeout_at};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::{
    body::{BoxError, ResponseBody},
    caching::Caching,
    http_cache::HttpCache,
    origin::AnsweredBy,
    tower::HttpCacheService,
    validation::{CACHE_CONDITIONS, Validating},
};

type ReqwestBody = ::reqwest::Body;

/// A `reqwest` client whose requests go through an [`HttpCache`].
///
/// Made by [`HttpCache::reqwest`]. Cheap to clone; clones share the cache and the connections. With the feature
/// `reqwest-middleware` it is also the last middleware of a chain of that crate.
#[derive(Debug, Clone)]
pub struct CachedClient {
    service: HttpCacheService<ReqwestService>,
    client: Client,
}

impl HttpCache {
    /// Puts this cache, which was made by [`HttpCache::client`], in front of a `reqwest` client.
    ///
    /// The cache does not see the client's default headers, nor the cookies of its jar. So clients with other credentials get
    /// caches with another [`identity`](HttpCache::identity); a cache without one stores nothing that may depend on them.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), reqwest::Error> {
    /// use larder_http::HttpCache;
    ///
    /// let cache = HttpCache::client(larder::global()).identity("anonymous");
    /// let client = cache.reqwest(reqwest::Client::new());
    /// let rates = client.get("https://api.example.com/rates").await?.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If it was made by [`HttpCache::new`]: a shared cache has to see the credentials of all requests.
    #[must_use]
    pub fn reqwest(&self, client: Client) -> CachedClient {
        assert!(
            self.config.is_private,
            "`reqwest` is for `HttpCache::client`: a cache in front of handlers does not know what a client adds"
        );
        CachedClient { service: self.layer(ReqwestService(client.clone())), client }
    }
}

impl CachedClient {
    /// Sends a `GET` request, or answers it from the cache.
    ///
    /// # Errors
    ///
    /// Those of [`execute`](Self::execute), and a URL that cannot be parsed.
    pub async fn get(&self, url: impl IntoUrl) -> Result<Response, Error> {
        self.execute(self.client.get(url).build()?).await
    }

    /// Sends a request, or answers it from the cache. `Cache-Status` in the response tells which.
    ///
    /// Make requests that need headers or a body with [`client`](Self::client):
    ///
    /// ```no_run
    /// # async fn example(client: larder_http::CachedClient) -> Result<(), reqwest::Error> {
    /// let request = client.client().get("https://api.example.com/me").bearer_auth("token").build()?;
    /// let me = client.execute(request).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The response to a request that `reqwest` redirected is not stored, because the URL that was asked for does not have
    /// it. A dropped call does not end a request that others wait for; see [`HttpCache::disconnect_grace`].
    ///
    /// The request's own `timeout` holds for all of the call, also while it waits for the response to another request. That of
    /// the client holds for requests that are sent.
    ///
    /// # Errors
    ///
    /// Those of `reqwest`, unless a stale response may be served instead. Of a request that other calls wait for, the error
    /// is for the call that sent it; the others send their own.
    pub async fn execute(&self, request: Request) -> Result<Response, Error> {
        let url = request.url().clone();
        let deadline = request.timeout().copied().and_then(Deadline::after);
        let mut request: http::Request<ReqwestBody> = request.try_into()?;
        let Some(deadline) = deadline else {
            return Ok(received(self.service.clone().call(request).await?, url));
        };
        request.extensions_mut().insert(deadline.clone());
        let mut answering = self.service.clone().call(request);
        let answer = match timeout_at(deadline.at, &mut answering).await {
            Ok(answer) => answer?,
            // `reqwest` keeps the time, and a stale response may be served in place of its error.
            Err(_) if deadline.is_sent.load(Ordering::Acquire) => answering.await?,
            Err(_) => {
                drop(answering);
                return self.timed_out(url).await;
            }
        };
        Ok(received(answer, url))
    }

    /// The error of a request for which there is no time left, as only `reqwest` can make it. Nothing is sent: its time
    /// begins with the call, and is over before it is polled. Timers count in milliseconds.
    async fn timed_out(&self, url: Url) -> Result<Response, Error> {
        let mut request = Request::new(Method::GET, url);
        *request.timeout_mut() = Some(Duration::ZERO);
        let executing = self.client.execute(request);
        sleep(Duration::from_millis(2)).await;
        executing.await
    }

    /// The client without the cache: for making requests, and for those that must not be answered from the cache.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// A `reqwest` client as a tower service.
#[derive(Debug, Clone)]
struct ReqwestService(Client);

/// Where redirects led to: an extension of a response.
#[derive(Debug, Clone)]
struct Redirected(Url);

/// When a request has to be answered, and whether it was sent by then: an extension of it.
#[derive(Debug, Clone)]
struct Deadline {
    at: Instant,
    is_sent: Arc<AtomicBool>,
}

impl Deadline {
    /// None for a time that never comes.
    fn after(timeout: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(timeout)?, is_sent: Arc::default() })
    }

    /// The request is about to be sent: `reqwest` ends it after the rest of the time.
    fn send(&self, request: &mut Request) {
        self.is_sent.store(true, Ordering::Release);
        *request.timeout_mut() = Some(self.at.saturating_duration_since(Instant::now()));
    }
}

impl Service<http::Request<ReqwestBody>> for ReqwestService {
    type Response = http::Response<ReqwestBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<ReqwestBody>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let mut request = request;
            let deadline = request.extensions_mut().remove::<Deadline>();
            let is_validating = request.extensions_mut().remove::<Validating>().is_some();
            let mut request = Request::try_from(request)?;
            if let Some(deadline) = &deadline {
                deadline.send(&mut request);
            }
            let asked_for = request.url().clone();
            let unconditional = if is_validating { without_conditions(&request) } else { None };
            let mut response = client.execute(request).await?;
            let is_redirected = |response: &Response| *response.url() != asked_for;
            if response.status() == StatusCode::NOT_MODIFIED
                && is_redirected(&response)
                && let Some(mut request) = unconditional
            {
                // The conditions were for the URL that was asked for, and not for where it led.
                if let Some(deadline) = &deadline {
                    deadline.send(&mut request);
                }
                response = client.execute(request).await?;
            }
            let redirected = is_redirected(&response).then(|| response.url().clone());
            let mut response = http::Response::from(response);
            if let Some(url) = redirected {
                let extensions = response.extensions_mut();
                extensions.insert(Caching::no_store());
                if let Ok(uri) = url.as_str().parse() {
                    extensions.insert(AnsweredBy(uri));
                }
                extensions.insert(Redirected(url));
            }
            Ok(response)
        })
    }
}

/// The same request without its conditions; none if its body cannot be sent twice.
fn without_conditions(request: &Request) -> Option<Request> {
    let mut request = request.try_clone()?;
    for name in &CACHE_CONDITIONS {
        request.headers_mut().remove(name);
    }
    Some(request)
}

/// The response for a caller who asked for this URL.
fn received(response: http::Response<ResponseBody<ReqwestBody>>, asked_for: Url) -> Response {
    let (mut parts, body) = response.into_parts();
    let url = parts.extensions.remove::<Redirected>().map_or(asked_for, |redirected| redirected.0);
    let mut response = http::Response::builder().url(url).body(()).unwrap_or_default();
    parts.extensions.extend(std::mem::take(response.extensions_mut()));
    let body = match body.as_whole() {
        Some(whole) => whole.clone().into(),
        None => ReqwestBody::wrap(ExclusiveBody::new(body)),
    };
    http::Response::from_parts(parts, body).into()
}

/// A body that is `Sync`, as `reqwest` demands.
struct ExclusiveBody {
    body: SyncWrapper<Pin<Box<ResponseBody<ReqwestBody>>>>,
    length: SizeHint,
}

impl ExclusiveBody {
    fn new(body: ResponseBody<ReqwestBody>) -> Self {
        Self { length: body.size_hint(), body: SyncWrapper::new(Box::pin(body)) }
    }
}

impl Body for ExclusiveBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.body.get_mut().as_mut().poll_frame(context)
    }

    /// The length at the beginning: `reqwest` asks for it before it reads.
    fn size_hint(&self) -> SizeHint {
        self.length
    }
}
