//! The cache as a middleware of Actix Web's.
//!
//! Actix runs a request on one thread from its beginning to its end, and its handlers' futures cannot leave
//! it. The cache's computations are futures that can; they never do here, as whoever asks polls its own, and
//! what is spawned is spawned on the same thread. `SendWrapper` says so to the compiler, and would panic if it
//! were otherwise.

mod body;
mod in_place_of_error;
mod kept;
mod payload;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, Ready, poll_fn, ready},
    pin::Pin,
    rc::Rc,
};

use actix_http::body::MessageBody;
use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, always_ready},
    http as actix,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use send_wrapper::SendWrapper;
use tokio::sync::oneshot;

pub use self::body::HttpCacheBody;
use self::{
    body::Handlers,
    in_place_of_error::InPlaceOfError,
    kept::{Kept, KeptElsewhere},
    payload::begins_body,
};
use crate::{
    body::ResponseBody,
    caching::Caching,
    conditional::Changes,
    config::HttpCache,
    engine::{Refresh, Rest},
    fields,
    origin::{BoxFuture, Driver, Origin},
    status::Forward,
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
        ready(Ok(HttpCacheMiddleware { cache: self.clone(), service: Rc::new(service), kept: Rc::default() }))
    }
}

/// A service of Actix' with an [`HttpCache`] in front of it.
///
/// A middleware around it that keeps a clone of the `HttpRequest` while it calls the next service takes something away
/// from the cache: Actix changes no request that has clones, so that requests with conditions, or with headers that
/// handlers are not to see, go to the handler as they are, and what it says to them is not stored. A WARN tells, and
/// Actix' own panic, which is caught, stands before it once for each worker; with `panic = "abort"` it ends the process.
#[derive(Debug, Clone)]
pub struct HttpCacheMiddleware<S> {
    cache: HttpCache,
    service: Rc<S>,
    kept: Rc<Kept>,
}

impl<S, B> Service<ServiceRequest> for HttpCacheMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<HttpCacheBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    // A response that is stored needs no handler. One that is not ready is waited for when it is asked.
    always_ready!();

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (cache, service, kept) = (self.cache.clone(), self.service.clone(), self.kept.clone());
        Box::pin(async move {
            let Some(mut parts) = parts(&request, &cache) else { return uncached(&*service, request).await };
            let has_body = fields::announces_body(&parts.headers) || begins_body(&mut request);
            let routed = parts.uri.clone();
            let plan = cache.plan(&mut parts, &routed, has_body);
            let slot = Rc::new(RefCell::new(Slot::Waiting(request)));
            let origin = Called::new(service.clone(), slot.clone(), kept);
            let answer = match cache.answer(plan, origin).await.map_err(SendWrapper::take) {
                Ok(answer) => answer,
                Err(error) if error.as_error::<KeptElsewhere>().is_some() => {
                    let waiting = slot.replace(Slot::Asked);
                    let Slot::Waiting(request) = waiting else { return Err(error) };
                    return bypass(&cache, &*service, request).await;
                }
                Err(error) => return Err(error),
            };
            let later = match answer.rest {
                Rest::Refresh(origin, refresh) => Some(refresh_later(origin, refresh)),
                Rest::Used | Rest::Unused(_) => None,
            };
            match Slot::take_head(&slot, later.is_some()) {
                Some((request, head)) => Ok(assemble(request, head, answer.response, later)),
                None => Err(InPlaceOfError::new(answer.response).into()),
            }
        })
    }
}

/// The request for the cache; none if it cannot be expressed.
fn parts(request: &ServiceRequest, cache: &HttpCache) -> Option<http::request::Parts> {
    let mut builder =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    let (mut parts, ()) = builder.body(()).ok()?.into_parts();
    cache.config.carry(&request.extensions(), &mut parts.extensions);
    Some(parts)
}

/// What the `http` crate cannot express is not cached.
async fn uncached<S, B>(service: &S, request: ServiceRequest) -> actix_web::Result<CachedResponse<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'static,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    let mut response = service.call(request).await?;
    for name in fields::TAGS {
        response.headers_mut().remove(name);
    }
    Ok(response.map_body(|_, body| HttpCacheBody::new(ResponseBody::passed(Handlers::new(body)))))
}

/// Has the handler asked with all that the client sent.
async fn bypass<S, B>(
    cache: &HttpCache,
    service: &S,
    request: ServiceRequest,
) -> actix_web::Result<CachedResponse<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'static,
{
    let mut response = uncached(service, request).await?;
    let mut headers = headers_of(response.headers());
    cache.tell_of_pass(Forward::Bypass, &mut headers);
    let status = status_of(response.status());
    write_head(response.response_mut(), status, &headers);
    Ok(response)
}

type CachedResponse<B> = ServiceResponse<HttpCacheBody<B>>;

/// The response for Actix: the cache's, on the head of the handler's own if there is one.
fn assemble<B: MessageBody + 'static>(
    request: HttpRequest,
    mut head: HttpResponse<()>,
    response: Response<ResponseBody<Handlers<B>>>,
    later: Option<OnDrop>,
) -> CachedResponse<B> {
    let (parts, body) = response.into_parts();
    write_head(&mut head, parts.status, &parts.headers);
    ServiceResponse::new(request, head.set_body(HttpCacheBody::new(body).followed_by(later)))
}

fn write_head<B>(head: &mut HttpResponse<B>, status: StatusCode, headers: &HeaderMap) {
    let status = actix::StatusCode::from_u16(status.as_u16());
    *head.status_mut() = status.unwrap_or(actix::StatusCode::INTERNAL_SERVER_ERROR);
    head.headers_mut().clear();
    for (name, value) in headers {
        let name = actix::header::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = actix::header::HeaderValue::from_bytes(value.as_bytes());
        // Both came from such, or were made of ASCII.
        if let (Ok(name), Ok(value)) = (name, value) {
            head.headers_mut().append(name, value);
        }
    }
}

/// The status for the newer `http` crate.
fn status_of(theirs: actix::StatusCode) -> StatusCode {
    StatusCode::from_u16(theirs.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The headers for the newer `http` crate, as far as it can express them.
fn headers_of(theirs: &actix::header::HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in theirs {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// What there is of a request, and of the response to it, beside what the cache deals with.
enum Slot {
    /// The handler was not asked.
    Waiting(ServiceRequest),
    Asked,
    Answered(HttpRequest, HttpResponse<()>),
}

impl Slot {
    /// The request, and the head of the handler's response or a new one; none if the handler failed. If it is to
    /// be asked `later`, its request stays.
    fn take_head(slot: &RefCell<Self>, later: bool) -> Option<(HttpRequest, HttpResponse<()>)> {
        let new_head = || HttpResponse::new(actix::StatusCode::OK).drop_body();
        let mut slot = slot.borrow_mut();
        match std::mem::replace(&mut *slot, Self::Asked) {
            Self::Answered(request, head) => Some((request, head)),
            Self::Waiting(request) if later => {
                let clone = request.request().clone();
                *slot = Self::Waiting(request);
                Some((clone, new_head()))
            }
            Self::Waiting(request) => Some((request.into_parts().0, new_head())),
            Self::Asked => None,
        }
    }
}

/// A service with a request for it.
struct Called<S> {
    service: SendWrapper<Rc<S>>,
    slot: SendWrapper<Rc<RefCell<Slot>>>,
    kept: SendWrapper<Rc<Kept>>,
}

impl<S> Called<S> {
    fn new(service: Rc<S>, slot: Rc<RefCell<Slot>>, kept: Rc<Kept>) -> Self {
        Self {
            service: SendWrapper::new(service),
            slot: SendWrapper::new(slot),
            kept: SendWrapper::new(kept),
        }
    }
}

impl<S, B> Origin for Called<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Body = Handlers<B>;
    type Error = SendWrapper<actix_web::Error>;

    fn ready(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let service = SendWrapper::new(Rc::clone(&self.service));
        let ready = SendWrapper::new(async move { poll_fn(|context| service.poll_ready(context)).await });
        async move { ready.await.map_err(SendWrapper::new) }
    }

    fn call(
        self,
        changes: Changes,
    ) -> impl Future<Output = Result<Response<Handlers<B>>, Self::Error>> + Send {
        let (service, slot, kept) = (self.service.take(), self.slot.take(), self.kept.take());
        let called = async move {
            let waiting = std::mem::replace(&mut *slot.borrow_mut(), Slot::Asked);
            let Slot::Waiting(mut request) = waiting else {
                return Err(actix_web::error::ErrorInternalServerError("a request is answered once"));
            };
            if let Err(kept) = kept.apply(&changes, &mut request) {
                *slot.borrow_mut() = Slot::Waiting(request);
                return Err(kept.into());
            }
            let (request, response) = service.call(request).await?.into_parts();
            let (mut head, body) = response.into_parts();
            let mut given = Response::new(Handlers::new(body));
            *given.status_mut() = status_of(head.status());
            *given.headers_mut() = headers_of(head.headers());
            if let Some(caching) = head.extensions_mut().remove::<Caching>() {
                given.extensions_mut().insert(caching);
            }
            *slot.borrow_mut() = Slot::Answered(request, head);
            Ok(given)
        };
        let called = SendWrapper::new(called);
        async move { called.await.map_err(SendWrapper::new) }
    }

    fn status_of(error: &Self::Error) -> Option<StatusCode> {
        Some(status_of(error.as_response_error().status_code()))
    }

    /// Tasks that stay on their thread can be spawned in Actix' own runtimes, and in the workers of a server that was
    /// started in one of Tokio's.
    fn has_tasks() -> bool {
        actix_web::rt::System::try_current().is_some()
            || std::thread::current().name().is_some_and(|name| name.starts_with("actix-server worker"))
    }

    fn spawn(task: BoxFuture<()>) -> Driver {
        Driver::Task(actix_web::rt::spawn(task).abort_handle())
    }
}

/// When this is dropped, the refresh begins: routing needs the request for itself, and the response still holds it.
type OnDrop = oneshot::Sender<Infallible>;

fn refresh_later<S, B>(origin: Called<S>, refresh: Refresh) -> OnDrop
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    let (later, dropped) = oneshot::channel();
    drop(actix_web::rt::spawn(async move {
        let Err(_) = dropped.await;
        refresh.run(origin).await;
    }));
    later
}
