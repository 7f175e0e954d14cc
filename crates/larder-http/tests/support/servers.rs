//! The frameworks, each with the cache in front of a scripted handler.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use larder_http::{Caching, HttpCache};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Handler, Said, SaidBody, Seen};

/// In place of a header's name: the lifetime that counts whatever the headers declare.
pub(crate) const OVERRIDE_TTL: &str = "(override-ttl)";

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    running: Running,
}

enum Running {
    Axum(JoinHandle<()>),
    #[cfg(feature = "actix")]
    Actix(actix_web::dev::ServerHandle),
}

impl Drop for Server {
    fn drop(&mut self) {
        match &self.running {
            Running::Axum(task) => task.abort(),
            #[cfg(feature = "actix")]
            Running::Actix(handle) => drop(handle.stop(false)),
        }
    }
}

/// A framework.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framework {
    Axum,
    #[cfg(feature = "actix")]
    Actix,
}

impl Framework {
    pub(crate) const ALL: &[Self] = &[
        Self::Axum,
        #[cfg(feature = "actix")]
        Self::Actix,
    ];

    /// Serves what the handler says, through the cache.
    pub(crate) async fn serve(self, cache: HttpCache, handler: Handler) -> Server {
        match self {
            Self::Axum => serve_router(router(handler).layer(cache)).await,
            #[cfg(feature = "actix")]
            Self::Actix => {
                actix(move || {
                    use actix_web::{App, web};
                    let handler = handler.clone();
                    App::new().wrap(cache.clone()).default_service(web::to(
                        move |request: actix_web::HttpRequest| {
                            let said = handler(seen_by_actix(&request));
                            async move { said_by_actix(said.await) }
                        },
                    ))
                })
                .await
            }
        }
    }
}

pub(crate) async fn serve_router(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server { address, running: Running::Axum(task) }
}

/// What a handler says in an extension and not in a header: `(override-ttl)`, in seconds.
fn overriding_ttl(name: &str, value: &str) -> Option<Caching> {
    let seconds = (name == OVERRIDE_TTL).then(|| value.parse().unwrap())?;
    Some(Caching::ttl(Duration::from_secs(seconds)).override_headers())
}

/// Axum's, without the cache.
pub(crate) fn router(handler: Handler) -> Router {
    Router::new().fallback(move |request: Request| {
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let seen = Seen {
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            headers: headers.collect(),
        };
        let said = handler(seen);
        async move {
            let Said { status, headers, body } = said.await;
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = match overriding_ttl(&name, &value) {
                    Some(caching) => response.extension(caching),
                    None => response.header(name, value),
                };
            }
            let body = match body {
                SaidBody::Whole(bytes) => Body::from(bytes),
                SaidBody::Stream(chunks) => Body::new(chunks),
            };
            response.body(body).unwrap()
        }
    })
}

#[cfg(feature = "actix")]
pub(crate) fn seen_by_actix(request: &actix_web::HttpRequest) -> Seen {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Seen { method: request.method().to_string(), uri: request.uri().to_string(), headers: headers.collect() }
}

#[cfg(feature = "actix")]
pub(crate) fn said_by_actix(said: Said) -> actix_web::HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(said.status).unwrap();
    let mut response = actix_web::HttpResponse::build(status);
    for header in said.headers {
        match overriding_ttl(&header.0, &header.1) {
            Some(caching) => drop(response.extensions_mut().insert(caching)),
            None => drop(response.append_header(header)),
        }
    }
    match said.body {
        SaidBody::Whole(bytes) => response.body(bytes),
        SaidBody::Stream(chunks) => response.body(chunks),
    }
}

#[cfg(feature = "actix")]
pub(crate) async fn actix<F, T, B>(app: F) -> Server
where
    F: Fn() -> actix_web::App<T> + Clone + Send + 'static,
    T: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Response = actix_web::dev::ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    B: actix_web::body::MessageBody + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (started, start) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = actix_web::HttpServer::new(app)
                .workers(1)
                // By default it does not notice that a client is gone while a handler is at work.
                .h1_allow_half_closed(false)
                .disable_signals()
                // A busy machine is no reason for a 408.
                .client_request_timeout(std::time::Duration::ZERO)
                .listen(listener);
            let server = server.unwrap().run();
            started.send(server.handle()).map_err(drop).unwrap();
            server.await.unwrap();
        });
    });
    Server { address, running: Running::Actix(start.await.unwrap()) }
}
