//! The cache as a tower layer, for Axum and all other tower services.

use std::{
    future::{Future, poll_fn},
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
    headers,
    http_cache::HttpCache,
    origin::Origin,
    validation::RequestChanges,
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    /// Always ready: stored responses are served even if the inner service is not ready. A request that needs the inner
    /// service waits for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let service = self.inner.clone();
        let cache = self.cache.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let has_body = !body.is_end_stream() || headers::announces_body(&parts.headers);
            let asked_for = whole_uri(&parts);
            let routed = std::mem::replace(&mut parts.uri, asked_for);
            let plan = cache.plan(&mut parts, &routed, has_body);
            parts.uri = routed;
            let cacheable = match &plan {
                Plan::LookUp(request) => Some(request.clone()),
                Plan::Pass(..) | Plan::Purge(_) => None,
            };
            let origin = TowerOrigin { service, request: Request::from_parts(parts, body), cacheable };
            let answer = cache.answer(plan, origin).await?;
            if let OriginState::Refresh(origin, refresh) = answer.origin {
                let task = async move { refresh.run(origin).await };
                // Without a runtime there are no tasks: the request waits.
                if let CopyDriver::Inline(task) = TowerOrigin::<S, ReqBody>::spawn(Box::pin(task)) {
                    task.await;
                }
            }
            Ok(answer.response)
        })
    }
}

/// The URI that the client sent.
#[cfg(feature = "axum")]
fn whole_uri(request: &http::request::Parts) -> http::Uri {
    match request.extensions.get::<axum::extract::OriginalUri>() {
        Some(original) => original.0.clone(),
        None => request.uri.clone(),
    }
}

/// The URI that reaches the layer.
#[cfg(not(feature = "axum"))]
fn whole_uri(request: &http::request::Parts) -> http::Uri {
    request.uri.clone()
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
