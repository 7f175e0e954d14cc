//! Axum over HTTP/2, and what HTTP/1 would hide.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{future::ready, time::Duration};

use bytes::Bytes;
use support::{Said, TestClock, client::get, handler, http_cache, servers::Framework};

type Client = h2::client::SendRequest<Bytes>;

async fn client(at: std::net::SocketAddr) -> Client {
    let stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client.ready().await.unwrap()
}

fn of(method: &str, headers: &[(&str, &str)]) -> http02::Request<()> {
    by_uri(method, "http://example.com/page", headers)
}

fn by_uri(method: &str, uri: &str, headers: &[(&str, &str)]) -> http02::Request<()> {
    let mut request = http02::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

struct Got {
    status: u16,
    cache_status: String,
    length: Option<String>,
    body: Vec<u8>,
}

async fn ask(client: &mut Client, method: &str, headers: &[(&str, &str)]) -> Result<Got, h2::Error> {
    send(client, of(method, headers)).await
}

async fn send(client: &mut Client, request: http02::Request<()>) -> Result<Got, h2::Error> {
    let (response, _) = client.send_request(request, true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut text = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        text.extend_from_slice(&chunk);
    }
    let text_of = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Ok(Got {
        status: head.status.as_u16(),
        cache_status: text_of("cache-status").unwrap_or_default(),
        length: text_of("content-length"),
        body: text,
    })
}

#[tokio::test]
async fn stored_responses_answer() {
    let said = || Said::new(&[("cache-control", "max-age=60"), ("etag", "\"a\"")], "text");
    let server = Framework::Axum.serve(http_cache(&TestClock::new()), handler(move |_| ready(said()))).await;
    let mut client = client(server.address).await;
    let miss = ask(&mut client, "GET", &[]).await.unwrap();
    assert_eq!((miss.status, &*miss.cache_status), (200, "larder; fwd=uri-miss; stored"));
    let hit = ask(&mut client, "GET", &[]).await.unwrap();
    assert_eq!((&*hit.body, hit.length.as_deref()), (&b"text"[..], Some("4")));
    assert!(hit.cache_status.starts_with("larder; hit"), "{}", hit.cache_status);
    let head = ask(&mut client, "HEAD", &[]).await.unwrap();
    assert_eq!((head.body.len(), head.length.as_deref()), (0, Some("4")));
    assert!(head.cache_status.starts_with("larder; hit"), "{}", head.cache_status);
    let not = ask(&mut client, "GET", &[("if-none-match", "\"a\"")]).await.unwrap();
    assert_eq!((not.status, not.body.len(), not.length), (304, 0, None));
    let one = get(server.address, "/page", &[]).await;
    assert!(one.is_hit(), "{one:?}");
}

/// A page is one for both versions, whichever asked first, and however deep the router lies that it is in.
#[cfg(feature = "axum")]
#[tokio::test]
async fn inside_of_nested_routers_both_versions_share_pages() {
    use axum::{Router, extract::OriginalUri, routing::get as route};

    let cache = http_cache(&TestClock::new());
    let page = |uri: OriginalUri| async move { ([("cache-control", "max-age=60")], uri.path().to_owned()) };
    let inner = || Router::new().route("/page", route(page)).route("/new", route(page)).layer(cache.clone());
    let deep = Router::new().nest("/deep", inner());
    let server = support::servers::serve_router(Router::new().nest("/api", inner()).nest("/two", deep)).await;
    let mut client = client(server.address).await;
    for base in ["/api", "/two/deep"] {
        for (path, http2_first) in [("page", true), ("new", false)] {
            let path = format!("{base}/{path}");
            for round in 0..4 {
                let by_http2 = (round % 2 == 0) == http2_first;
                let (text, status) = if by_http2 {
                    let uri = format!("http://example.com{path}");
                    let got = send(&mut client, by_uri("GET", &uri, &[])).await.unwrap();
                    (String::from_utf8(got.body).unwrap(), got.cache_status)
                } else {
                    let got = get(server.address, &path, &[]).await;
                    (got.text(), got.cache_status())
                };
                assert_eq!(text, path);
                assert_eq!(status.starts_with("larder; hit"), round > 0, "{path}, round {round}: {status}");
            }
        }
    }
}

/// Behind a proxy that ends TLS the client's scheme counts, which the proxy tells, and not that of the proxy's own
/// request: which of HTTP/2 has one, and of HTTP/1.1 has none.
#[tokio::test]
async fn behind_a_tls_proxy_the_clients_scheme_counts() {
    let said = |seen: &support::Seen| {
        let scheme = seen.header("x-forwarded-proto").or(seen.header("forwarded")).unwrap_or("none");
        Said::new(&[("cache-control", "max-age=60")], scheme.to_owned())
    };
    for ignored in [false, true] {
        let cache = http_cache(&TestClock::new());
        let cache = if ignored { cache.ignore_scheme() } else { cache };
        let server = Framework::Axum.serve(cache, handler(move |seen| ready(said(&seen)))).await;
        let mut client = client(server.address).await;
        let mut first = true;
        for (name, value) in
            [("x-forwarded-proto", "https"), ("x-forwarded-proto", "http"), ("forwarded", "proto=https")]
        {
            let one = get(server.address, "/page", &[(name, value)]).await;
            // A proxy may send on the scheme that it was asked by, or its own.
            for uri in ["http://example.com/page", "https://example.com/page"] {
                let other = send(&mut client, by_uri("GET", uri, &[(name, value)])).await.unwrap();
                assert!(other.cache_status.starts_with("larder; hit"), "{uri}: {}", other.cache_status);
                assert_eq!(other.body, one.text().as_bytes(), "{uri}");
            }
            assert_eq!(one.is_hit(), ignored && !first, "{value}, ignored: {ignored}: {one:?}");
            assert_eq!(one.text(), if ignored { "https" } else { value });
            first = false;
        }
    }
}

/// One connection, many streams: some are reset while others wait for the same response.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_hold_up_no_other() {
    let handler = handler(|_| {
        let (said, sender) = Said::stream(&[("cache-control", "max-age=60")]);
        tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(2)).await;
                drop(sender.send(Ok(Bytes::from(vec![b'x'; 4000]))));
            }
        });
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            said
        }
    });
    for round in 0..10 {
        let server = Framework::Axum.serve(http_cache(&TestClock::new()), handler.clone()).await;
        let client = client(server.address).await;
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..40_u64 {
            let mut client = client.clone();
            asking.spawn(async move {
                let asked = ask(&mut client, "GET", &[]);
                if n % 2 == 0 {
                    drop(tokio::time::timeout(Duration::from_millis(1 + n + round), asked).await);
                } else {
                    let got = tokio::time::timeout(Duration::from_secs(10), asked).await;
                    let got = got.expect("no request is held up").unwrap();
                    assert_eq!(got.body.len(), 80_000, "{}", got.cache_status);
                }
            });
        }
        asking.join_all().await;
    }
}

/// One that does not read its stream holds up no other that waits for the same response.
#[tokio::test]
async fn a_client_that_does_not_read_holds_up_no_other() {
    let handler = handler(|_| {
        let (said, sender) = Said::stream(&[("cache-control", "max-age=60")]);
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(sender.send(Ok(Bytes::from(vec![b'x'; 8000]))));
            }
        });
        ready(said)
    });
    let server = Framework::Axum.serve(http_cache(&TestClock::new()), handler).await;
    let mut one = client(server.address).await;
    let (response, _) = one.send_request(of("GET", &[]), true).unwrap();
    let unread = response.await.unwrap();
    let mut other = client(server.address).await;
    let got = tokio::time::timeout(Duration::from_secs(5), ask(&mut other, "GET", &[])).await;
    assert_eq!(got.expect("in time").unwrap().body.len(), 800_000);
    drop(unread);
}

/// RFC 9110, section 8.6: a 304 names the length of the 200 or none.
#[tokio::test]
async fn a_304_over_http1_names_no_length() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let said = || Said::new(&[("cache-control", "max-age=60"), ("etag", "\"a\"")], "text");
    let server = Framework::Axum.serve(http_cache(&TestClock::new()), handler(move |_| ready(said()))).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: a\r\nif-none-match: \"a\"\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(!text.contains("content-length"), "{text}");
}
