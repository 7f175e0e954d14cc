//! Whether a request has a body.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
};
use bytes::Bytes;
use futures_core::Stream;

/// Whether a request has a body that no header announces, as in HTTP/2: this is found out by polling for its first chunk.
pub(super) fn begins_body(request: &mut ServiceRequest) -> bool {
    let mut payload = match request.take_payload() {
        Payload::None => return false,
        payload => payload,
    };
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(&mut payload).poll_next(&mut context) {
        Poll::Ready(None) => false,
        Poll::Ready(Some(first)) => {
            request.set_payload(Payload::Stream {
                payload: Box::pin(PolledBody { first: Some(first), rest: payload }),
            });
            true
        }
        Poll::Pending => {
            request.set_payload(payload);
            true
        }
    }
}

type Chunk = Result<Bytes, PayloadError>;

/// A body whose first chunk was polled already.
struct PolledBody {
    first: Option<Chunk>,
    rest: Payload,
}

impl Stream for PolledBody {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Chunk>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_next(context),
        }
    }
}
