//! The cache as a tower layer, for Axum and all other tower services.

use std::{
    fmt,
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    body::{BoxError, BoxFuture, CopyDriver, ResponseBody},
    cacheable_request::CacheableRequest,
    engine::{OriginState, Plan},
    http_cache::HttpCache,
    origin::Origin,
    validation::{RequestChanges, Validating},
};

impl<S> Layer<S> for HttpCache {
    type Service = HttpCacheService<S>;

    fn layer(&self, inner: S) -> HttpCacheService<S> {
        HttpCacheService { cache: self.clone(), inner }
    }
}

/// A tower service with an [`HttpCache`] in front of it.
#[derive(Debug, Clone)]
pub struct HttpCacheService<S> {
    cache: HttpCache,
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HttpCacheService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    ReqBody: Body + Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = HttpCacheFuture<S, ReqBody, ResBody, S::Error>;

    /// Always ready: stored responses are served even if the inner service is not ready. A request that needs the inner
    /// service waits for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let asked = Asked { cache: self.cache.clone(), service: self.inner.clone(), request };
        HttpCacheFuture { asked: Some(asked), answering: None }
    }
}

/// The response of an [`HttpCacheService`].
///
/// It does nothing until it is polled. A hit in memory is its first poll, and needs no place on the heap.
#[must_use = "a future does nothing until it is polled"]
pub struct HttpCacheFuture<S, ReqBody, ResBody, E> {
    /// Until the first poll.
    asked: Option<Asked<S, ReqBody>>,
    /// After it, if memory has no answer.
    answering: Option<Answering<ResBody, E>>,
}

/// A request, and what may answer it.
struct Asked<S, ReqBody> {
    cache: HttpCache,
    service: S,
    request: Request<ReqBody>,
}

type Answering<ResBody, E> = BoxFuture<Result<Response<ResponseBody<ResBody>>, E>>;

/// Nothing in it is pinned but what is in a box.
impl<S, ReqBody, ResBody, E> Unpin for HttpCacheFuture<S, ReqBody, ResBody, E> {}

impl<S, ReqBody, ResBody, E> fmt::Debug for HttpCacheFuture<S, ReqBody, ResBody, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCacheFuture").finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Future for HttpCacheFuture<S, ReqBody, ResBody, S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    ReqBody: Body + Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(asked) = self.asked.take() {
            match asked.answer_from_memory() {
                ControlFlow::Break(response) => return Poll::Ready(Ok(response)),
                ControlFlow::Continue(answering) => self.answering = Some(answering),
            }
        }
        self.answering.as_mut().expect("a future is not polled after its end").as_mut().poll(context)
    }
}

impl<S, ReqBody> Asked<S, ReqBody> {
    /// The response, if it is in memory, and else what makes it.
    fn answer_from_memory<ResBody>(
        self,
    ) -> ControlFlow<Response<ResponseBody<ResBody>>, Answering<ResBody, S::Error>>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
        S::Future: Send,
        S::Error: Send + 'static,
        ReqBody: Body + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { cache, service, request } = self;
        let (mut parts, body) = request.into_parts();
        // What a client sends goes where its own URI says, whatever request it was made from.
        let routed = if cache.config.is_private { None } else { restore_uri(&mut parts) };
        let plan = cache.answer_or_plan(&mut parts, (routed.as_ref(), false), || !body.is_end_stream())?;
        let cacheable = match &plan {
            Plan::LookUp(request) => Some(request.clone()),
            Plan::Pass(..) | Plan::Purge(_) => None,
        };
        if let Some(routed) = routed {
            parts.uri = routed;
        }
        let origin = TowerOrigin { service, request: Request::from_parts(parts, body), cacheable };
        ControlFlow::Continue(Box::pin(answer_with_origin(cache, plan, origin)))
    }
}

/// Answers a request that needs more than this process' memory.
async fn answer_with_origin<S, ReqBody, ResBody>(
    cache: HttpCache,
    plan: Plan,
    origin: TowerOrigin<S, ReqBody>,
) -> Result<Response<ResponseBody<ResBody>>, S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let answer = cache.answer(plan, origin).await?;
    if let OriginState::Refresh(origin, refresh) = answer.origin {
        let task = async move { refresh.run(origin).await };
        // Without a runtime there are no tasks: the request waits.
        if let CopyDriver::Inline(task) = TowerOrigin::<S, ReqBody>::spawn(Box::pin(task)) {
            task.await;
        }
    }
    Ok(answer.response)
}

/// Gives a request the URI that the client sent, and returns the one that it had, if that is another one.
#[cfg(feature = "axum")]
fn restore_uri(request: &mut http::request::Parts) -> Option<http::Uri> {
    let original = &request.extensions.get::<axum::extract::OriginalUri>()?.0;
    let original = (*original != request.uri).then(|| original.clone())?;
    Some(std::mem::replace(&mut request.uri, original))
}

/// A request has the URI with which it reaches the layer.
#[cfg(not(feature = "axum"))]
fn restore_uri(_: &mut http::request::Parts) -> Option<http::Uri> {
    None
}

/// A tower service with a request for it.
struct TowerOrigin<S, ReqBody> {
    service: S,
    request: Request<ReqBody>,
    /// Has the request's headers if the request goes to the cache.
    cacheable: Option<Arc<CacheableRequest>>,
}

impl<S, ReqBody, ResBody> Origin for TowerOrigin<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Body = ResBody;
    type Error = S::Error;

    async fn ready(&mut self) -> Result<(), S::Error> {
        poll_fn(|context| self.service.poll_ready(context)).await
    }

    async fn call(mut self, changes: RequestChanges) -> Result<Response<ResBody>, S::Error> {
        if let Some(cacheable) = self.cacheable {
            *self.request.headers_mut() = cacheable.headers.clone();
        }
        if changes.is_validating() {
            self.request.extensions_mut().insert(Validating);
        }
        changes.apply(self.request.headers_mut());
        let responding = self.service.call(self.request);
        responding.await
    }

    fn status_of(_: &S::Error) -> Option<StatusCode> {
        None
    }

    fn has_tasks() -> bool {
        Handle::try_current().is_ok()
    }

    fn spawn(task: BoxFuture<()>) -> CopyDriver {
        match Handle::try_current() {
            Ok(runtime) => CopyDriver::Task(runtime.spawn(task).abort_handle()),
            Err(_) => CopyDriver::Inline(task),
        }
    }
}
