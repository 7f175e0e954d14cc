//! The same proxy with Actix Web:
//!
//! ```sh
//! UPSTREAM=http://127.0.0.1:8000 cargo run -p reverse-proxy --bin reverse-proxy-actix
//! ```

#![expect(clippy::print_stdout, reason = "where it listens is what this program has to say")]

use std::net::TcpListener;

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::{BodyStream, BoxBody, SizedStream},
    dev::{Service as _, ServiceRequest},
    http::StatusCode,
    web,
};
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use reverse_proxy::{Upstream, address, cache, hop_by_hop};

/// The most that a client may send, in bytes: it is kept until the server is asked. (Actix' own limit is 256 KiB.)
const MOST: usize = 64 << 20;

#[actix_web::main]
async fn main() -> Result<()> {
    let upstream = Upstream::<Full<Bytes>>::from_env()?;
    let cache = cache()?;
    let address = address();
    let listener = TcpListener::bind(&address).with_context(|| format!("ADDRESS is {address}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = move || {
        App::new()
            .app_data(web::Data::new(upstream.clone()))
            .app_data(web::PayloadConfig::new(MOST))
            .wrap(cache.clone())
            // Around the cache: what `Connection` names chooses no page.
            .wrap_fn(|mut request, service| {
                strip(&mut request);
                service.call(request)
            })
            .default_service(web::to(forward))
    };
    HttpServer::new(app).listen(listener)?.run().await?;
    Ok(())
}

/// Removes the headers of the client's connection.
fn strip(request: &mut ServiceRequest) {
    let headers = request.headers_mut();
    let names = hop_by_hop(headers.get_all("connection").filter_map(|line| line.to_str().ok()));
    for name in names {
        headers.remove(name.as_str());
    }
}

/// The handler behind the cache. Actix uses an older version of the `http` crate than the client.
async fn forward(
    upstream: web::Data<Upstream<Full<Bytes>>>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let mut asked = http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        asked = asked.header(name.as_str(), value.as_bytes());
    }
    let Ok(asked) = asked.body(Full::new(body)) else { return HttpResponse::BadRequest().finish() };
    match upstream.ask(asked).await {
        Ok(response) => answer(response),
        Err(status) => HttpResponse::new(status_of(status)),
    }
}

fn answer(response: http::Response<hyper::body::Incoming>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = HttpResponse::build(status_of(parts.status));
    for (name, value) in &parts.headers {
        answer.append_header((name.as_str(), value.as_bytes()));
    }
    let length = parts.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let stream = body.into_data_stream();
    match length {
        Some(length) => answer.body(BoxBody::new(SizedStream::new(length, stream))),
        // `streaming` would add a `Content-Type`, which a 304 puts in the place of the stored one.
        None => answer.body(BoxBody::new(BodyStream::new(stream))),
    }
}

fn status_of(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY)
}
