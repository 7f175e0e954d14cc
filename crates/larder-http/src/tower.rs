//! The cache as a layer of tower's, for Axum and everything else that is made of services.

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
    body::{BoxError, ResponseBody},
    conditional::Changes,
    config::HttpCache,
    engine::{Plan, Rest, Wish},
    fields,
    origin::{BoxFuture, Driver, Origin},
};

impl<S> Layer<S> for HttpCache {
    type Service = HttpCacheService<S>;

    fn layer(&self, inner: S) -> HttpCacheService<S> {
        HttpCacheService { cache: self.clone(), inner }
    }
}

/// A service with an [`HttpCache`] in front of it.
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

    /// Always ready: a response that is stored needs no handler. One that is not ready is waited for when it is
    /// asked.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let service = self.inner.clone();
        let cache = self.cache.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let has_body = !body.is_end_stream() || fields::announces_body(&parts.headers);
            let asked_for = whole_uri(&parts);
            let routed = std::mem::replace(&mut parts.uri, asked_for);
            let plan = cache.plan(&mut parts, &routed, has_body);
            parts.uri = routed;
            let wish = match &plan {
                Plan::Look(wish) => Some(wish.clone()),
                Plan::Pass(..) => None,
            };
            let origin = Called { service, request: Request::from_parts(parts, body), wish };
            let answer = cache.answer(plan, origin).await?;
            if let Rest::Refresh(origin, refresh) = answer.rest {
                let task = async move { refresh.run(origin).await };
                // Without a runtime there is nothing beside the request: it waits.
                if let Driver::Inline(task) = Called::<S, ReqBody>::spawn(Box::pin(task)) {
                    task.await;
                }
            }
            Ok(answer.response)
        })
    }
}

/// The URI as the client sent it.
#[cfg(feature = "axum")]
fn whole_uri(request: &http::request::Parts) -> http::Uri {
    match request.extensions.get::<axum::extract::OriginalUri>() {
        Some(original) => original.0.clone(),
        None => request.uri.clone(),
    }
}

/// The URI as it reaches the layer.
#[cfg(not(feature = "axum"))]
fn whole_uri(request: &http::request::Parts) -> http::Uri {
    request.uri.clone()
}

/// A service with a request for it.
struct Called<S, ReqBody> {
    service: S,
    request: Request<ReqBody>,
    /// Has the request's headers, unless they are still there.
    wish: Option<Arc<Wish>>,
}

impl<S, ReqBody, ResBody> Origin for Called<S, ReqBody>
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

    async fn call(mut self, changes: Changes) -> Result<Response<ResBody>, S::Error> {
        if let Some(wish) = self.wish {
            *self.request.headers_mut() = wish.headers.clone();
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

    fn spawn(task: BoxFuture<()>) -> Driver {
        match Handle::try_current() {
            Ok(runtime) => Driver::Task(runtime.spawn(task).abort_handle()),
            Err(_) => Driver::Inline(task),
        }
    }
}
