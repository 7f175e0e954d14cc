//! The cache as a middleware of Actix Web's.
//!
//! Actix runs a request on one thread from its beginning to its end, and its handlers' futures cannot leave
//! it. The cache's computations are futures that can; they never do here, as whoever asks polls its own, and
//! what is spawned is spawned on the same thread. `SendWrapper` says so to the compiler, and would panic if it
//! were otherwise.

use std::{
    cell::RefCell,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::body::{BodySize, MessageBody};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http as actix,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use send_wrapper::SendWrapper;

use crate::{
    body::{BoxError, ResponseBody},
    conditional::{ANSWERABLE, Conditions},
    config::{Caching, HttpCache},
    engine::{Refresh, Rest},
    fields,
    origin::{BoxFuture, Driver, Origin},
};

impl<S, B> Transform<S, ServiceRequest> for HttpCache
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<HttpCacheBody<B>>;
    type Error = actix_web::Error;
    type Transform = HttpCacheMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(HttpCacheMiddleware { cache: self.clone(), service: Rc::new(service) }))
    }
}

/// A service of Actix' with an [`HttpCache`] in front of it.
#[derive(Debug, Clone)]
pub struct HttpCacheMiddleware<S> {
    cache: HttpCache,
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for HttpCacheMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<HttpCacheBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let Some(parts) = parts(&request) else {
            // What the `http` crate cannot express is not cached.
            let responding = self.service.call(request);
            return Box::pin(async move {
                let response = responding.await?;
                Ok(response.map_body(|_, body| HttpCacheBody::new(ResponseBody::passed(Handlers::new(body)))))
            });
        };
        let plan = self.cache.plan(&parts, &parts.uri, fields::announces_body(&parts.headers));
        let cache = self.cache.clone();
        let slot = Rc::new(RefCell::new(Slot::Waiting(request)));
        let origin = Called::new(self.service.clone(), slot.clone());
        Box::pin(async move {
            let answer = cache.answer(plan, origin).await.map_err(SendWrapper::take)?;
            let later = match answer.rest {
                Rest::Refresh(origin, refresh) => Some(Later { origin, refresh }),
                Rest::Used | Rest::Unused(_) => None,
            };
            let (request, head) = Slot::into_head(&slot, later.is_some())?;
            Ok(assemble(request, head, answer.response, later))
        })
    }
}

/// The request for the cache; none if it cannot be expressed.
fn parts(request: &ServiceRequest) -> Option<http::request::Parts> {
    let mut builder =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    Some(builder.body(()).ok()?.into_parts().0)
}

/// The response for Actix: the cache's, on the head of the handler's own if there is one.
fn assemble<S, B>(
    request: HttpRequest,
    mut head: HttpResponse<()>,
    response: Response<ResponseBody<Handlers<B>>>,
    later: Option<Later<S, B>>,
) -> ServiceResponse<HttpCacheBody<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    let (parts, body) = response.into_parts();
    let status = actix::StatusCode::from_u16(parts.status.as_u16());
    *head.status_mut() = status.unwrap_or(actix::StatusCode::INTERNAL_SERVER_ERROR);
    head.headers_mut().clear();
    for (name, value) in &parts.headers {
        let name = actix::header::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = actix::header::HeaderValue::from_bytes(value.as_bytes());
        // Both came from such, or were made of ASCII.
        if let (Ok(name), Ok(value)) = (name, value) {
            head.headers_mut().append(name, value);
        }
    }
    let mut body = HttpCacheBody::new(body);
    if let Some(later) = later {
        body.after = Some(OnDrop(Some(Box::new(move || later.spawn()))));
    }
    ServiceResponse::new(request, head.set_body(body))
}

/// What there is of a request, and of the response to it, beside what the cache deals with.
enum Slot {
    /// The handler was not asked.
    Waiting(ServiceRequest),
    Asked,
    Answered(HttpRequest, HttpResponse<()>),
}

impl Slot {
    /// The request, and the head of the handler's response or a new one. If the handler is to be asked `later`,
    /// its request stays.
    fn into_head(slot: &RefCell<Self>, later: bool) -> actix_web::Result<(HttpRequest, HttpResponse<()>)> {
        let new_head = || HttpResponse::new(actix::StatusCode::OK).drop_body();
        let mut slot = slot.borrow_mut();
        match std::mem::replace(&mut *slot, Self::Asked) {
            Self::Answered(request, head) => Ok((request, head)),
            Self::Waiting(request) if later => {
                let clone = request.request().clone();
                *slot = Self::Waiting(request);
                Ok((clone, new_head()))
            }
            Self::Waiting(request) => Ok((request.into_parts().0, new_head())),
            Self::Asked => Err(actix_web::error::ErrorInternalServerError("the handler gave no response")),
        }
    }
}

/// A service with a request for it.
struct Called<S> {
    service: SendWrapper<Rc<S>>,
    slot: SendWrapper<Rc<RefCell<Slot>>>,
}

impl<S> Called<S> {
    fn new(service: Rc<S>, slot: Rc<RefCell<Slot>>) -> Self {
        Self { service: SendWrapper::new(service), slot: SendWrapper::new(slot) }
    }
}

impl<S, B> Origin for Called<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Body = Handlers<B>;
    type Error = SendWrapper<actix_web::Error>;

    fn call(
        self,
        conditions: Option<Conditions>,
    ) -> impl Future<Output = Result<Response<Handlers<B>>, Self::Error>> + Send {
        let (service, slot) = (self.service.take(), self.slot.take());
        let called = async move {
            let waiting = std::mem::replace(&mut *slot.borrow_mut(), Slot::Asked);
            let Slot::Waiting(mut request) = waiting else {
                return Err(actix_web::error::ErrorInternalServerError("a request is answered once"));
            };
            if let Some(conditions) = conditions {
                apply(conditions, request.headers_mut());
            }
            let (request, response) = service.call(request).await?.into_parts();
            let (mut head, body) = response.into_parts();
            let mut given = Response::new(Handlers::new(body));
            *given.status_mut() = StatusCode::from_u16(head.status().as_u16()).unwrap_or_default();
            for (name, value) in head.headers() {
                let name = HeaderName::from_bytes(name.as_str().as_bytes());
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                    given.headers_mut().append(name, value);
                }
            }
            if let Some(caching) = head.extensions_mut().remove::<Caching>() {
                given.extensions_mut().insert(caching);
            }
            *slot.borrow_mut() = Slot::Answered(request, head);
            Ok(given)
        };
        let called = SendWrapper::new(called);
        async move { called.await.map_err(SendWrapper::new) }
    }

    fn spawn(task: BoxFuture<()>) -> Driver {
        Driver::Task(actix_web::rt::spawn(task).abort_handle())
    }
}

/// As [`Conditions::apply`], on headers of the `http` crate's older version.
fn apply(conditions: Conditions, headers: &mut actix::header::HeaderMap) {
    let mut given = HeaderMap::new();
    conditions.apply(&mut given);
    for name in ANSWERABLE {
        let Ok(theirs) = actix::header::HeaderName::from_bytes(name.as_str().as_bytes()) else { continue };
        headers.remove(&theirs);
        let value = given.get(&name).map(|value| actix::header::HeaderValue::from_bytes(value.as_bytes()));
        if let Some(Ok(value)) = value {
            headers.insert(theirs, value);
        }
    }
}

/// A refresh that has to wait: routing needs the request for itself, and the response still holds it.
struct Later<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    origin: Called<S>,
    refresh: Refresh,
}

impl<S, B> Later<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    fn spawn(self) {
        drop(actix_web::rt::spawn(async move { self.refresh.run(self.origin).await }));
    }
}

/// Called when the response was sent, or given up.
struct OnDrop(Option<Box<dyn FnOnce()>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

/// The body of a response of Actix' that passed the cache.
pub struct HttpCacheBody<B: MessageBody + 'static> {
    body: Pin<Box<ResponseBody<Handlers<B>>>>,
    after: Option<OnDrop>,
}

impl<B: MessageBody + 'static> HttpCacheBody<B> {
    fn new(body: ResponseBody<Handlers<B>>) -> Self {
        Self { body: Box::pin(body), after: None }
    }
}

impl<B: MessageBody + 'static> MessageBody for HttpCacheBody<B> {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        if let Some(length) = self.body.length_of_nothing() {
            return length.map_or(BodySize::None, BodySize::Sized);
        }
        if let Some(passed) = self.body.as_passed() {
            return passed.body.size();
        }
        self.body.size_hint().exact().map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            return Poll::Ready(match std::task::ready!(self.body.as_mut().poll_frame(context)) {
                None => None,
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    // Actix has no trailers.
                    Err(_) => continue,
                },
            });
        }
    }
}

impl<B: MessageBody + 'static> std::fmt::Debug for HttpCacheBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCacheBody").field("body", &self.body).finish_non_exhaustive()
    }
}

/// A handler's body, for the cache.
pub(crate) struct Handlers<B> {
    body: SendWrapper<Pin<Box<B>>>,
}

impl<B: MessageBody> Handlers<B> {
    fn new(body: B) -> Self {
        Self { body: SendWrapper::new(Box::pin(body)) }
    }
}

impl<B: MessageBody> Body for Handlers<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // An error of Actix' need not be one that other threads can have; its text is.
        let text =
            |error: B::Error| BoxError::from(Into::<Box<dyn std::error::Error>>::into(error).to_string());
        let next = self.body.as_mut().poll_next(context);
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(text)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.size().is_eof()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size() {
            BodySize::None => SizeHint::with_exact(0),
            BodySize::Sized(length) => SizeHint::with_exact(length),
            BodySize::Stream => SizeHint::default(),
        }
    }
}
