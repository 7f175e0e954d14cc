//! What the tests that run through real servers need: a handler that says what a test wants, in front of it the
//! cache in each framework, a client, and a clock.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub(crate) mod client;
pub(crate) mod servers;
pub(crate) mod streams;
pub(crate) mod table;

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use larder::MemoryCache;
use larder_http::HttpCache;
use tokio::sync::mpsc;

/// A clock that stands still until it is told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000)))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    /// The text with each `{offset}` as a date that many seconds from now.
    pub(crate) fn dated(&self, text: &str) -> String {
        let (Some(open), Some(close)) = (text.find('{'), text.find('}')) else { return text.to_owned() };
        let offset: i64 = text[open + 1..close].parse().unwrap();
        let now = self.0.load(Ordering::SeqCst);
        let date = UNIX_EPOCH + Duration::from_secs(now.checked_add_signed(offset).unwrap());
        format!("{}{}{}", &text[..open], httpdate::fmt_http_date(date), &text[close + 1..])
    }
}

/// What the handler got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the handler says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: SaidBody,
}

#[derive(Debug)]
pub(crate) enum SaidBody {
    Whole(Bytes),
    /// As it comes; an error breaks it off.
    Stream(Chunks),
}

impl Said {
    pub(crate) fn new(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Self { status: 200, headers: headers.collect(), body: SaidBody::Whole(body.into()) }
    }

    /// A body that comes as it is sent.
    pub(crate) fn stream(headers: &[(&str, &str)]) -> (Self, mpsc::UnboundedSender<io::Result<Bytes>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let said = Self { body: SaidBody::Stream(Chunks(receiver, None)), ..Self::new(headers, "") };
        (said, sender)
    }

    /// With this after a body that comes as it is sent, where the framework has trailers.
    pub(crate) fn with_trailer(mut self, name: &'static str, value: usize) -> Self {
        if let SaidBody::Stream(Chunks(_, trailers)) = &mut self.body {
            *trailers = Some([(HeaderName::from_static(name), value.into())].into_iter().collect());
        }
        self
    }
}

/// A body of chunks; one that says `panic` does.
#[derive(Debug)]
pub(crate) struct Chunks(mpsc::UnboundedReceiver<io::Result<Bytes>>, Option<HeaderMap>);

impl Chunks {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let chunk = self.0.poll_recv(context);
        assert!(!matches!(&chunk, Poll::Ready(Some(Ok(text))) if text == "panic"), "as it should");
        chunk
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        match self.poll(context) {
            Poll::Ready(None) => {
                Poll::Ready(self.1.take().map(|trailers| Ok(http_body::Frame::trailers(trailers))))
            }
            chunk => chunk.map(|chunk| chunk.map(|chunk| chunk.map(http_body::Frame::data))),
        }
    }
}

#[cfg(feature = "actix")]
impl actix_web::body::MessageBody for Chunks {
    type Error = io::Error;

    fn size(&self) -> actix_web::body::BodySize {
        actix_web::body::BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.poll(context)
    }
}

/// Answers requests, in any framework.
pub(crate) type Handler = Arc<dyn Fn(Seen) -> Pin<Box<dyn Future<Output = Said> + Send>> + Send + Sync>;

pub(crate) fn handler<F>(respond: impl Fn(Seen) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Said> + Send + 'static,
{
    Arc::new(move |seen| Box::pin(respond(seen)))
}

/// A handler's script: what it says next, and what it has got so far.
#[derive(Debug, Clone)]
pub(crate) struct Script(Arc<Mutex<(Saying, Vec<Seen>)>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Saying {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn say(&self, saying: Saying) {
        self.0.lock().unwrap().0 = saying;
    }

    pub(crate) fn handler(&self) -> Handler {
        let script = self.clone();
        handler(move |seen| {
            let mut script = script.0.lock().unwrap();
            script.1.push(seen);
            let Saying { status, headers, body } = script.0.clone();
            std::future::ready(Said { status, headers, body: SaidBody::Whole(body) })
        })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().1.clone()
    }
}

/// Waits until something holds, and fails if it does not come to that.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A cache of its own, on a clock.
pub(crate) fn http_cache(clock: &TestClock) -> HttpCache {
    let clock = clock.clone();
    HttpCache::new(MemoryCache::new(1000)).clock(move || clock.now())
}
