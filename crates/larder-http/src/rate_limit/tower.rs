//! The limit as a tower layer, for Axum and all other tower services.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};
use http_body::{Body, Frame, SizeHint};
use larder::limit::{Decision, Limiter};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{RateLimit, fields, refusal::Refusal};

type KeyOfParts = dyn Fn(&Parts) -> Option<String> + Send + Sync;

impl RateLimit<KeyOfParts> {
    /// A layer that counts requests by what `key` makes of their heads; those of which it makes nothing are not limited.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::{Router, extract::ConnectInfo, routing::get};
    /// use larder::limit::{Limiter, Rate};
    /// use larder_http::{ClientAddress, RateLimit, address_key};
    ///
    /// let client = ClientAddress::behind(["10.0.0.0/8"])?;
    /// let limiter = Limiter::new(larder::global(), Rate::per_minute(100));
    /// let limit = RateLimit::tower(limiter, move |request| {
    ///     // Of `into_make_service_with_connect_info::<SocketAddr>()`.
    ///     let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    ///     Some(address_key(client.of(peer.ip(), request.headers.get_all("x-forwarded-for"))))
    /// });
    /// let app: Router = Router::new().route("/", get(async || "hello")).layer(limit);
    /// # Ok::<(), larder_http::InvalidNetwork>(())
    /// ```
    pub fn tower(limiter: Limiter, key: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(limiter, Arc::new(key))
    }
}

impl<S> Layer<S> for RateLimit<KeyOfParts> {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> RateLimitService<S> {
        RateLimitService { limit: self.clone(), inner }
    }
}

/// A tower service with a [`RateLimit`] in front of it.
#[derive(Debug, Clone)]
pub struct RateLimitService<S> {
    limit: RateLimit<KeyOfParts>,
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RateLimitService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Send + 'static,
{
    type Response = Response<RateLimitBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    /// Always ready: a request is refused even if the inner service is not ready. One that is admitted waits for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (limit, mut inner) = (self.limit.clone(), self.inner.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let key = (limit.key)(&parts);
            let request = Request::from_parts(parts, body);
            let decision = match key {
                Some(key) => Some(limit.decide(&key).await),
                None => None,
            };
            if let Some(refused) = decision.and_then(|decision| decision.admitted().err()) {
                return Ok(respond(Refusal::new(&limit.name, &refused)));
            }
            poll_fn(|context| inner.poll_ready(context)).await?;
            let mut response =
                inner.call(request).await?.map(|body| RateLimitBody { state: State::Passed { body } });
            if let Some(decision) = decision {
                add_fields(&mut response, &limit.name, &decision);
            }
            Ok(response)
        })
    }
}

fn add_fields<B>(response: &mut Response<B>, name: &str, decision: &Decision) {
    for (field, value) in fields::of(name, decision).into_iter().flatten() {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(HeaderName::from_static(field), value);
        }
    }
}

fn respond<B>(refusal: Refusal) -> Response<RateLimitBody<B>> {
    let mut response =
        Response::new(RateLimitBody { state: State::Refused { body: Some(refusal.body.into()) } });
    *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    for (name, value) in refusal.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

pin_project! {
    /// The body of a response that went through a [`RateLimit`]: the handler's, or what says that it was not called.
    #[derive(Debug)]
    pub struct RateLimitBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum State<B> {
        Passed { #[pin] body: B },
        // Until it is sent.
        Refused { body: Option<Bytes> },
    }
}

impl<B: Body<Data = Bytes>> Body for RateLimitBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().state.project() {
            Projected::Passed { body } => body.poll_frame(context),
            Projected::Refused { body } => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passed { body } => body.is_end_stream(),
            State::Refused { body } => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passed { body } => body.size_hint(),
            State::Refused { body } => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
        }
    }
}
