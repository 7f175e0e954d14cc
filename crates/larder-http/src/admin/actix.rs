//! The routes for Actix Web.

use std::{future::poll_fn, pin::Pin};

use actix_web::{HttpRequest, HttpResponse, Scope, web};
use bytes::Bytes;
use futures_core::Stream as _;
use http::{HeaderValue, Method};

use super::{
    Admin,
    answer::{Answer, Problem},
    body::{Chunks, broken},
    request::Head,
};

impl Admin {
    /// The routes as a scope under `path`. What is wrapped around it is in front of all of them.
    ///
    /// ```
    /// # use actix_web::{App, Error, body::MessageBody, dev::{ServiceRequest, ServiceResponse}};
    /// # use actix_web::{error::ErrorUnauthorized, middleware::{Next, from_fn}};
    /// async fn operators_only(
    ///     request: ServiceRequest,
    ///     next: Next<impl MessageBody>,
    /// ) -> Result<ServiceResponse<impl MessageBody>, Error> {
    ///     // Your sessions, tokens or client certificates here.
    ///     let is_operator = request.headers().get("authorization").is_some_and(|sent| sent == "Bearer …");
    ///     if is_operator { next.call(request).await } else { Err(ErrorUnauthorized("operators only")) }
    /// }
    ///
    /// let admin = larder_http::admin(larder::global());
    /// let app = App::new().service(admin.scope("/admin/cache").wrap(from_fn(operators_only)));
    /// ```
    #[cfg_attr(docsrs, doc(cfg(all(feature = "admin", feature = "actix"))))]
    #[must_use = "no route is mounted until the scope is given to an `App`"]
    pub fn scope(&self, path: &str) -> Scope {
        let admin = self.clone();
        web::scope(path).default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let admin = admin.clone();
            async move {
                let answer = match head(&request) {
                    Some(head) => admin.answer(&head, read(payload)).await,
                    None => Answer::from(Problem::bad("the request cannot be understood")).into_response(),
                };
                respond(answer)
            }
        }))
    }
}

/// The request for the routes; none if the newer `http` crate cannot express it.
fn head(request: &HttpRequest) -> Option<Head> {
    let content_type =
        request.headers().get("content-type").map(|value| HeaderValue::from_bytes(value.as_bytes()));
    Some(Head {
        method: Method::from_bytes(request.method().as_str().as_bytes()).ok()?,
        // What is behind the scope. Actix has decoded a part of it, and no `%`: decoding the rest is no error.
        path: request.match_info().unprocessed().to_owned(),
        query: request.uri().query().map(str::to_owned),
        content_type: content_type.transpose().ok()?,
    })
}

async fn read(payload: web::Payload) -> Result<Bytes, Problem> {
    let mut payload = payload.into_inner();
    let mut chunks = Chunks::default();
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        chunks.add(&chunk.map_err(|_| broken())?)?;
    }
    Ok(chunks.into_bytes())
}

fn respond(answer: http::Response<Bytes>) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let status = actix_web::http::StatusCode::from_u16(parts.status.as_u16());
    let mut response =
        HttpResponse::build(status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &parts.headers {
        response.insert_header((name.as_str(), value.as_bytes()));
    }
    response.body(body)
}
