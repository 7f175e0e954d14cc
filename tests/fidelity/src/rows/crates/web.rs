//! Addresses and HTTP.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{row::Expected, table};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Request {
    #[serde(with = "http_serde::method")]
    method: Method,
    #[serde(with = "http_serde::uri")]
    uri: Uri,
    #[serde(with = "http_serde::version")]
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Response {
    #[serde(with = "http_serde::status_code")]
    status: StatusCode,
    #[serde(with = "http_serde::header_map")]
    headers: HeaderMap,
}

fn response(bytes: bool) -> Response {
    let mut headers = HeaderMap::new();
    headers.append("set-cookie", HeaderValue::from_static("a=1"));
    headers.append("set-cookie", HeaderValue::from_static("b=2"));
    if bytes {
        headers.insert("x-bytes", HeaderValue::from_bytes(b"\xff").expect("it is allowed"));
    }
    Response { status: StatusCode::IM_A_TEAPOT, headers }
}

fn url(text: &str) -> Url {
    text.parse().expect("it is a URL")
}

table! {
    pub(super) fn rows;
    concrete "url::Url": Url = [url("https://user:pass@ex.ample:8443/a?b=c#d"), url("mailto:ada@example.com"), url("data:,")];
    "Option<url::Url>": Option<Url> = [None, Some(url("http://[::1]/"))];
    concrete "ipnet::IpNet": IpNet = ["10.1.2.3/8".parse().expect("it is a net"), "::1/128".parse().expect("it is a net")];
    "ipnet::Ipv4Net": Ipv4Net = [Ipv4Net::default()];
    "http request": Request = [
        Request { method: Method::PATCH, uri: Uri::from_static("/a?b=%20"), version: Version::HTTP_2 },
        Request {
            method: Method::from_bytes(b"BREW").expect("it is allowed"),
            uri: Uri::from_static("http://a.b:1/"),
            version: Version::HTTP_09,
        },
    ];
    concrete "http response": Response = [response(false)];
    "http response, a header that is no text": Response = [response(true)]
        => Expected::shared([true, false, true]);
}
