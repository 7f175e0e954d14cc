//! A service on no runtime at all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use larder::MemoryCache;
use larder_http::HttpCache;
use tower::{Layer as _, Service};

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
