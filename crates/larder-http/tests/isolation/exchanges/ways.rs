//! The ways to send a request: to the layers themselves, and to servers.

use std::{fmt::Debug, net::SocketAddr};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tower::{Service, ServiceExt as _};

use super::asked::{Answer, Ask};
use crate::support::client;

pub(crate) async fn by_tower(router: &Router, ask: &Ask) -> Answer {
    send(router.clone(), request(ask, ask.uri)).await
}

/// As a client's request, with its host in the URI.
pub(crate) async fn by_service<S, B>(service: S, ask: &Ask) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body,
{
    let uri = format!("http://{}{}", ask.header("host").unwrap(), ask.uri);
    send(service, request(ask, &uri)).await
}

fn request(ask: &Ask, uri: &str) -> Request<Body> {
    let mut request = Request::builder().method(ask.method).uri(uri);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    request.body(Body::empty()).unwrap()
}

async fn send<S, B>(service: S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body,
{
    let response = service.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let collected = body.collect().await.ok();
    let has_trailers = Some(collected.as_ref().is_some_and(|body| body.trailers().is_some()));
    let body = collected.map(|body| body.to_bytes());
    Answer { status: head.status.as_u16(), headers: head.headers, body, has_trailers }
}

#[cfg(feature = "reqwest")]
pub(crate) async fn by_reqwest(client: &larder_http::CachedClient, ask: &Ask) -> Answer {
    let method = ask.method.parse().unwrap();
    let uri = format!("http://{}{}", ask.header("host").unwrap(), ask.uri);
    let mut request = client.client().request(method, uri);
    for (name, value) in ask.headers.iter().filter(|(name, _)| *name != "host") {
        request = request.header(*name, value);
    }
    let Ok(response) = client.execute(request.build().unwrap()).await else { return Answer::broken() };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.ok(), has_trailers: None }
}

/// With a connection of its own.
pub(crate) async fn by_http1(at: SocketAddr, ask: &Ask) -> Answer {
    let headers: Vec<_> = ask.headers.iter().map(|(name, value)| (*name, &**value)).collect();
    let Ok(response) = client::try_send(at, client::request(ask.method, ask.uri, &headers)).await else {
        return Answer::broken();
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.ok().map(|body| body.to_bytes());
    Answer { status: head.status.as_u16(), headers: head.headers, body, has_trailers: None }
}

pub(crate) type Http2 = h2::client::SendRequest<Bytes>;

pub(crate) async fn http2_client(at: SocketAddr) -> Http2 {
    let stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

fn headers_of<N: AsRef<str>, V: AsRef<[u8]>>(headers: impl Iterator<Item = (N, V)>) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_ref().as_bytes()).unwrap();
        all.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    all
}

/// All requests over one connection.
pub(crate) async fn by_http2(client: &Http2, ask: &Ask) -> Answer {
    let mut request =
        http02::Request::builder().method(ask.method).uri(format!("http://example.com{}", ask.uri));
    for (name, value) in ask.headers.iter().filter(|(name, _)| *name != "host") {
        request = request.header(*name, value);
    }
    let mut client = client.clone().ready().await.unwrap();
    let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    let Ok(response) = response.await else { return Answer::broken() };
    let (head, mut stream) = response.into_parts();
    let (mut body, mut is_whole) = (Vec::new(), true);
    while let Some(chunk) = stream.data().await {
        let Ok(chunk) = chunk else {
            is_whole = false;
            break;
        };
        drop(stream.flow_control().release_capacity(chunk.len()));
        body.extend_from_slice(&chunk);
    }
    let headers = headers_of(head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    Answer { status: head.status.as_u16(), headers, body: is_whole.then(|| body.into()), has_trailers: None }
}

#[cfg(feature = "actix")]
pub(crate) async fn by_actix<S, B>(app: &S, ask: &Ask) -> Answer
where
    S: actix_web::dev::Service<
            actix_http::Request,
            Response = actix_web::dev::ServiceResponse<B>,
            Error = actix_web::Error,
        >,
    B: actix_web::body::MessageBody,
{
    let method = actix_web::http::Method::from_bytes(ask.method.as_bytes()).unwrap();
    let mut request = actix_web::test::TestRequest::with_uri(ask.uri).method(method);
    for (name, value) in &ask.headers {
        request = request.insert_header((*name, &**value));
    }
    let response = app.call(request.to_request()).await.unwrap();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let (status, headers) = (response.status().as_u16(), headers_of(headers));
    let body = actix_web::body::to_bytes(response.into_body()).await.ok();
    Answer { status, headers, body, has_trailers: None }
}
