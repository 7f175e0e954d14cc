//! A service on no runtime at all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty, Full};
use larder::MemoryCache;
use larder_http::HttpCache;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

/// Comes in three parts, none of them at once.
struct Slow(usize);

impl Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0 += 1;
        context.waker().wake_by_ref();
        match self.0 {
            1 | 3 | 5 => Poll::Pending,
            2 | 4 | 6 => Poll::Ready(Some(Ok(Frame::data("part ".into())))),
            _ => Poll::Ready(None),
        }
    }
}

#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Service<Request<Empty<Bytes>>> for Counting {
    type Response = Response<Slow>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Slow>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::builder().header("cache-control", "max-age=60").body(Slow(0)).unwrap()))
    }
}

/// Polls until it is done, which it always can be at once or soon.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it waits for ever");
}

#[test]
fn a_body_is_copied_by_its_reader() {
    let counting = Counting::default();
    let mut service = HttpCache::new(MemoryCache::new(10)).layer(counting.clone());
    for status in ["larder; fwd=uri-miss", "larder; hit"] {
        let request = Request::builder().uri("http://example.com/").body(Empty::new()).unwrap();
        let response = block_on(service.call(request)).unwrap();
        assert!(response.headers()["cache-status"].to_str().unwrap().starts_with(status));
        let body = block_on(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body, "part part part ");
    }
    assert_eq!(counting.0.load(Ordering::SeqCst), 1);
}

/// There is nothing that could refresh behind a client's back: the client waits for it.
#[test]
fn what_is_stale_is_refreshed_by_the_request() {
    let now = Arc::new(AtomicU64::new(1_700_000_000));
    let clock = now.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let service = HttpCache::new(MemoryCache::new(10))
        .clock(move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst)))
        .layer(service_fn(move |_: Request<Empty<Bytes>>| {
            let text = counter.fetch_add(1, Ordering::SeqCst).to_string();
            let head = Response::builder().header("cache-control", "max-age=10, stale-while-revalidate=60");
            ready(Ok::<_, Infallible>(head.body(Full::new(Bytes::from(text))).unwrap()))
        }));
    let ask = || {
        let request = Request::builder().uri("http://example.com/").body(Empty::new()).unwrap();
        let response = block_on(service.clone().oneshot(request)).unwrap();
        block_on(response.into_body().collect()).unwrap().to_bytes()
    };
    assert_eq!(ask(), "0");
    now.fetch_add(20, Ordering::SeqCst);
    assert_eq!((ask(), ask()), ("0".into(), "1".into()));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
