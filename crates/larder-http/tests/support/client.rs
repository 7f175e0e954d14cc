//! A client with one connection for each request.

use std::{io::Read as _, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// None if it broke off.
    pub(crate) body: Option<Bytes>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_ref().expect("the body is complete")).into_owned()
    }

    /// The text, decompressed where it came as gzip.
    pub(crate) fn decoded(&self) -> String {
        match self.header("content-encoding").as_deref() {
            None => self.text(),
            Some("gzip") => {
                let mut text = String::new();
                let body = self.body.as_ref().expect("the body is complete");
                flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).expect("it is gzip");
                text
            }
            Some(other) => panic!("no client here accepts {other}"),
        }
    }

    pub(crate) fn cache_status(&self) -> String {
        self.header("cache-status").unwrap_or_default()
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status().starts_with("larder; hit")
    }
}

/// Sends a request, and returns when the head of its response is there.
pub(crate) async fn try_send(
    at: SocketAddr,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

pub(crate) async fn open(at: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    try_send(at, request).await.unwrap()
}

pub(crate) async fn send(at: SocketAddr, request: Request<Full<Bytes>>) -> Received {
    let (head, body) = open(at, request).await.into_parts();
    let body = body.collect().await.ok().map(|body| body.to_bytes());
    Received { status: head.status.as_u16(), headers: head.headers, body }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", "example.com");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

pub(crate) async fn get(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Received {
    send(at, request("GET", path, headers)).await
}
