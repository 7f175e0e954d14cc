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
    let mut request = http02::Request::builder().method(method).uri("http://example.com/page");
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
    let (response, _) = client.send_request(of(method, headers), true)?;
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

/// One connection, many streams: some are reset while others wait for the same.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_hold_up_nobody() {
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
                    let got = got.expect("nobody is held up").unwrap();
                    assert_eq!(got.body.len(), 80_000, "{}", got.cache_status);
                }
            });
        }
        asking.join_all().await;
    }
}

/// One that does not read its stream holds up nobody who waits for the same.
#[tokio::test]
async fn one_who_does_not_read_holds_up_nobody() {
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
