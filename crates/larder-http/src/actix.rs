//! The cache as a middleware of Actix Web.
//!
//! Actix handles a request on one thread, and the futures of its handlers are not `Send`. The cache's computations must be
//! `Send`, but never change their thread here: each request polls its own, and tasks are spawned on the same thread.
//! `SendWrapper` makes the compiler accept that, and panics if it is ever wrong.

mod body;
mod http_types;
mod request_body;
mod request_clones;
mod stale_if_error;

use std::{
    cell::RefCell,
    future::{Future, Ready, poll_fn, ready},
    ops::ControlFlow,
    pin::Pin,
    rc::Rc,
};

use actix_http::body::MessageBody;
use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, always_ready},
    http as actix,
};
use http::{Response, StatusCode};
use send_wrapper::SendWrapper;
use tokio::sync::oneshot;

pub use self::body::HttpCacheBody;
use self::{
    body::{ActixBody, OnDrop},
    http_types::{headers_of, status_of, write_head},
    request_body::begins_body,
    request_clones::{ClonedRequest, RequestEditor},
    stale_if_error::StaleIfError,
};
use crate::{
    body::{BoxFuture, CopyDriver, ResponseBody},
    cache_status::Forward,
    caching::Caching,
    downstream_tags,
    engine::{OriginState, Refresh},
    headers,
    http_cache::HttpCache,
    origin::Origin,
    targeted::OWN_FIELD,
    validation::RequestChanges,
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
        ready(Ok(HttpCacheMiddleware {
            cache: self.clone(),
            service: Rc::new(service),
            editor: Rc::default(),
        }))
    }
}

/// An Actix service with an [`HttpCache`] in front of it.
///
/// A middleware around it must not keep a clone of the `HttpRequest` while it calls the next service, because Actix cannot
/// change a request that has clones. Then requests with conditions, and those with headers that are to be removed, are
/// passed to the handler unchanged, and their responses are not stored. The cache logs a WARN about it, and before it once
/// for each worker Actix' own panic, which it catches; with `panic = "abort"` that ends the process.
#[derive(Debug, Clone)]
pub struct HttpCacheMiddleware<S> {
    cache: HttpCache,
    service: Rc<S>,
    editor: Rc<RequestEditor>,
}

impl<S, B> Service<ServiceRequest> for HttpCacheMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<HttpCacheBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    // Stored responses are served even if the service is not ready. A request that needs the service waits for it.
    always_ready!();

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (cache, service, editor) = (self.cache.clone(), self.service.clone(), self.editor.clone());
        Box::pin(async move {
            let Some(mut parts) = parts(&request, &cache) else {
                return call_uncached(&cache, &*service, request).await;
            };
            let is_secure = request.app_config().secure();
            let plan = match cache.answer_or_plan(&mut parts, (None, is_secure), || begins_body(&mut request))
            {
                ControlFlow::Break(response) => {
                    return Ok(assemble(request.into_parts().0, new_head(), response, None));
                }
                ControlFlow::Continue(plan) => plan,
            };
            let slot = Rc::new(RefCell::new(Slot::Waiting(request)));
            let origin = ActixOrigin::new(service.clone(), slot.clone(), editor);
            // In a box of its own: a hit need not make room for it.
            let answer = match Box::pin(cache.answer(plan, origin)).await.map_err(SendWrapper::take) {
                Ok(answer) => answer,
                Err(error) if error.as_error::<ClonedRequest>().is_some() => {
                    let waiting = slot.replace(Slot::Called);
                    let Slot::Waiting(request) = waiting else { return Err(error) };
                    return bypass(&cache, &*service, request).await;
                }
                Err(error) => return Err(error),
            };
            let refresh = match answer.origin {
                OriginState::Refresh(origin, refresh) => Some(refresh_on_drop(origin, refresh)),
                OriginState::Called | OriginState::NotCalled(_) => None,
            };
            match Slot::take_head(&slot, refresh.is_some()) {
                Some((request, head)) => Ok(assemble(request, head, answer.response, refresh)),
                None => Err(StaleIfError::new(answer.response).into()),
            }
        })
    }
}

/// The request for the cache; none if the newer `http` crate cannot express it.
fn parts(request: &ServiceRequest, cache: &HttpCache) -> Option<http::request::Parts> {
    let mut builder =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    let (mut parts, ()) = builder.body(()).ok()?.into_parts();
    cache.config.copy_extensions(&request.extensions(), &mut parts.extensions);
    Some(parts)
}

/// Calls the service without the cache.
async fn call_uncached<S, B>(
    cache: &HttpCache,
    service: &S,
    request: ServiceRequest,
) -> actix_web::Result<CachedResponse<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'static,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    let mut response = service.call(request).await?;
    let own = cache.config.has_own_field.then_some(OWN_FIELD.as_str());
    let mut tagged = headers_of(response.headers());
    downstream_tags::take(&mut tagged, &cache.config.sent_tags);
    for name in headers::TAG_HEADERS.into_iter().chain(own) {
        response.headers_mut().remove(name);
    }
    for name in &cache.config.sent_tags {
        let Ok(theirs) = actix::header::HeaderName::from_bytes(name.as_str().as_bytes()) else { continue };
        let value = tagged.get(name).map(|value| actix::header::HeaderValue::from_bytes(value.as_bytes()));
        if let Some(Ok(value)) = value {
            response.headers_mut().insert(theirs, value);
        }
    }
    Ok(response.map_body(|_, body| HttpCacheBody::new(ResponseBody::passed(ActixBody::new(body)))))
}

/// Calls the service with the unchanged request, and completes the headers of its response.
async fn bypass<S, B>(
    cache: &HttpCache,
    service: &S,
    request: ServiceRequest,
) -> actix_web::Result<CachedResponse<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'static,
{
    let mut response = call_uncached(cache, service, request).await?;
    let mut headers = headers_of(response.headers());
    cache.finish_passed(Forward::Bypass, &mut headers);
    let status = status_of(response.status());
    write_head(response.response_mut(), status, &headers);
    Ok(response)
}

type CachedResponse<B> = ServiceResponse<HttpCacheBody<B>>;

/// The response for Actix: the cache's, on the head of the handler's response if there is one.
fn assemble<B: MessageBody + 'static>(
    request: HttpRequest,
    mut head: HttpResponse<()>,
    response: Response<ResponseBody<ActixBody<B>>>,
    refresh: Option<OnDrop>,
) -> CachedResponse<B> {
    let (parts, body) = response.into_parts();
    write_head(&mut head, parts.status, &parts.headers);
    ServiceResponse::new(request, head.set_body(HttpCacheBody::new(body).followed_by(refresh)))
}

/// The head of a response that no handler made.
fn new_head() -> HttpResponse<()> {
    HttpResponse::new(actix::StatusCode::OK).drop_body()
}

/// The parts of a request and its response that the cache does not handle.
enum Slot {
    /// The handler was not called.
    Waiting(ServiceRequest),
    Called,
    Answered(HttpRequest, HttpResponse<()>),
}

impl Slot {
    /// The request, and the head of the handler's response or a new one; none if the handler failed. The request stays if
    /// it is needed for a refresh.
    fn take_head(slot: &RefCell<Self>, refreshes: bool) -> Option<(HttpRequest, HttpResponse<()>)> {
        let mut slot = slot.borrow_mut();
        match std::mem::replace(&mut *slot, Self::Called) {
            Self::Answered(request, head) => Some((request, head)),
            Self::Waiting(request) if refreshes => {
                let clone = request.request().clone();
                *slot = Self::Waiting(request);
                Some((clone, new_head()))
            }
            Self::Waiting(request) => Some((request.into_parts().0, new_head())),
            Self::Called => None,
        }
    }
}

/// An Actix service with a request for it.
struct ActixOrigin<S> {
    service: SendWrapper<Rc<S>>,
    slot: SendWrapper<Rc<RefCell<Slot>>>,
    editor: SendWrapper<Rc<RequestEditor>>,
}

impl<S> ActixOrigin<S> {
    fn new(service: Rc<S>, slot: Rc<RefCell<Slot>>, editor: Rc<RequestEditor>) -> Self {
        Self {
            service: SendWrapper::new(service),
            slot: SendWrapper::new(slot),
            editor: SendWrapper::new(editor),
        }
    }
}

impl<S, B> Origin for ActixOrigin<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Body = ActixBody<B>;
    type Error = SendWrapper<actix_web::Error>;

    fn ready(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let service = SendWrapper::new(Rc::clone(&self.service));
        let ready = SendWrapper::new(async move { poll_fn(|context| service.poll_ready(context)).await });
        async move { ready.await.map_err(SendWrapper::new) }
    }

    fn call(
        self,
        changes: RequestChanges,
    ) -> impl Future<Output = Result<Response<ActixBody<B>>, Self::Error>> + Send {
        let (service, slot, editor) = (self.service.take(), self.slot.take(), self.editor.take());
        let called = async move {
            let waiting = std::mem::replace(&mut *slot.borrow_mut(), Slot::Called);
            let Slot::Waiting(mut request) = waiting else {
                return Err(actix_web::error::ErrorInternalServerError("a request is answered once"));
            };
            if let Err(cloned) = editor.apply(&changes, &mut request) {
                *slot.borrow_mut() = Slot::Waiting(request);
                return Err(cloned.into());
            }
            let (request, response) = service.call(request).await?.into_parts();
            let (mut head, body) = response.into_parts();
            let mut given = Response::new(ActixBody::new(body));
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

    /// Tasks that stay on their thread can be spawned in Actix' runtimes, and in the workers of a server that was started
    /// in a Tokio runtime.
    fn has_tasks() -> bool {
        actix_web::rt::System::try_current().is_some()
            || std::thread::current().name().is_some_and(|name| name.starts_with("actix-server worker"))
    }

    fn spawn(task: BoxFuture<()>) -> CopyDriver {
        CopyDriver::Task(actix_web::rt::spawn(task).abort_handle())
    }
}

/// Begins a refresh when the result is dropped: the response still holds the request, which Actix' routing has to change.
fn refresh_on_drop<S, B>(origin: ActixOrigin<S>, refresh: Refresh) -> OnDrop
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    let (on_drop, dropped) = oneshot::channel();
    drop(actix_web::rt::spawn(async move {
        let Err(_) = dropped.await;
        refresh.run(origin).await;
    }));
    on_drop
}
