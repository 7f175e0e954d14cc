//! The cache as a layer of tower's, for Axum and everything else that is made of services.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    body::{BoxError, ResponseBody},
    conditional::Conditions,
    config::HttpCache,
    engine::Rest,
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

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The one that is ready is the one to call; its clone need not be.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        let cache = self.cache.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let has_body = !body.is_end_stream() || fields::announces_body(&parts.headers);
            let plan = cache.plan(&parts, &whole_uri(&parts), has_body);
            let origin = Called { service, request: Request::from_parts(parts, body) };
            let answer = cache.answer(plan, origin).await?;
            if let Rest::Refresh(origin, refresh) = answer.rest {
                let task = async move { refresh.run(origin).await };
                drop(Called::<S, ReqBody>::spawn(Box::pin(task)));
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

    async fn call(mut self, conditions: Option<Conditions>) -> Result<Response<ResBody>, S::Error> {
        if let Some(conditions) = conditions {
            conditions.apply(self.request.headers_mut());
        }
        let responding = self.service.call(self.request);
        responding.await
    }

    fn spawn(task: BoxFuture<()>) -> Driver {
        match Handle::try_current() {
            Ok(runtime) => Driver::Task(runtime.spawn(task).abort_handle()),
            Err(_) => Driver::Inline(task),
        }
    }
}
