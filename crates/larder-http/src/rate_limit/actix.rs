//! The limit as a middleware of Actix Web.

use std::{
    future::{Future, Ready, poll_fn, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, always_ready},
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use larder::limit::Limiter;

use super::{RateLimit, fields, refusal::Refusal};

type KeyOfRequest = dyn Fn(&ServiceRequest) -> Option<String> + Send + Sync;

impl RateLimit<KeyOfRequest> {
    /// A middleware that counts requests by what `key` makes of them; those of which it makes nothing are not limited.
    ///
    /// `peer_addr()` is the address of the connection; what Actix calls `realip_remote_addr()` is whatever a client has
    /// written into a header.
    ///
    /// ```
    /// use actix_web::{App, web};
    /// use larder::limit::{Limiter, Rate};
    /// use larder_http::{ClientAddress, RateLimit, address_key};
    ///
    /// let client = ClientAddress::behind(["10.0.0.0/8"])?;
    /// let limiter = Limiter::new(larder::global(), Rate::per_minute(100));
    /// let limit = RateLimit::actix(limiter, move |request| {
    ///     let peer = request.peer_addr()?.ip();
    ///     Some(address_key(client.of(peer, request.headers().get_all("x-forwarded-for"))))
    /// });
    /// let app = App::new().wrap(limit).route("/", web::get().to(async || "hello"));
    /// # Ok::<(), larder_http::InvalidNetwork>(())
    /// ```
    pub fn actix(
        limiter: Limiter,
        key: impl Fn(&ServiceRequest) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(limiter, Arc::new(key))
    }
}

impl<S, B> Transform<S, ServiceRequest> for RateLimit<KeyOfRequest>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = RateLimitMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RateLimitMiddleware { limit: self.clone(), service: Rc::new(service) }))
    }
}

/// An Actix service with a [`RateLimit`] in front of it.
#[derive(Debug, Clone)]
pub struct RateLimitMiddleware<S> {
    limit: RateLimit<KeyOfRequest>,
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for RateLimitMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    // A request is refused even if the service is not ready. One that is admitted waits for it.
    always_ready!();

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (limit, service) = (self.limit.clone(), self.service.clone());
        Box::pin(async move {
            let decision = match (limit.key)(&request) {
                Some(key) => Some(limit.decide(&key).await),
                None => None,
            };
            if let Some(refused) = decision.and_then(|decision| decision.admitted().err()) {
                let refusal = respond(Refusal::new(&limit.name, &refused));
                return Ok(request.into_response(refusal).map_into_right_body());
            }
            poll_fn(|context| service.poll_ready(context)).await?;
            let mut response = service.call(request).await?.map_into_left_body();
            let of = |decision| fields::of(&limit.name, &decision);
            append(response.headers_mut(), decision.and_then(of).into_iter().flatten());
            Ok(response)
        })
    }
}

fn append(headers: &mut HeaderMap, fields: impl IntoIterator<Item = (&'static str, String)>) {
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
}

fn respond(refusal: Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut response = HttpResponse::build(status).body(refusal.body);
    // The type of the body in place of the one that Actix gives to text.
    response.headers_mut().clear();
    append(response.headers_mut(), refusal.headers);
    response
}
