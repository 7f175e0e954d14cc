//! Copying a body on its way to the client.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::response;
use http_body::Frame;

use super::handoff::Handoff;
use crate::{
    body::{BoxError, Copier, HandlerBody, ResponseBody, copied},
    conditional::content_length,
};

/// What came of copying.
pub(super) enum Copy<B> {
    /// The body is complete; if its head went ahead, the client waits to be told.
    Complete(Box<response::Parts>, Bytes, Option<Copier<B>>),
    /// It is not to be stored, and on its way.
    Passed,
}

/// Reads a body for the cache, `limit` bytes at most. If it does not come at once, the client gets it as it
/// comes.
pub(super) async fn copy<B: HandlerBody>(
    parts: response::Parts,
    body: B,
    limit: usize,
    handoff: &Handoff<B>,
) -> Copy<B> {
    let hint = body.size_hint();
    let stated = content_length(&parts.headers);
    let most = limit as u64;
    if hint.lower() > most || matches!(stated, Some(Ok(length)) if length > most) || stated == Some(Err(())) {
        handoff.pass(parts, ResponseBody::passed(body));
        return Copy::Passed;
    }
    let mut copying =
        Copying { parts: Box::new(parts), body: Box::pin(body), kept: Vec::new(), length: 0, copier: None };
    loop {
        // The first wait for the body hands the head over.
        let frame = match poll_fn(|context| Poll::Ready(copying.poll(context))).await {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                copying.go_ahead(hint, handoff);
                poll_fn(|context| copying.poll(context)).await
            }
        };
        match frame {
            None => return copying.end(stated, handoff),
            Some(Err(error)) => return copying.fail(error, hint, handoff),
            Some(Ok(frame)) => {
                if let Some(copier) = &copying.copier {
                    copier.push(clone(&frame));
                }
                let data = frame.data_ref().map(Bytes::len);
                copying.length += data.unwrap_or_default();
                copying.kept.push(frame);
                // Trailers are not stored, and neither is what has some.
                if data.is_none() || copying.length > limit {
                    return copying.pass(hint, handoff);
                }
            }
        }
    }
}

struct Copying<B> {
    parts: Box<response::Parts>,
    body: Pin<Box<B>>,
    kept: Vec<Frame<Bytes>>,
    length: usize,
    /// Once the head was handed over.
    copier: Option<Copier<B>>,
}

type Next = Option<Result<Frame<Bytes>, BoxError>>;

impl<B: HandlerBody> Copying<B> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        self.body.as_mut().poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    /// Hands the head over, with what has come so far.
    fn go_ahead(&mut self, hint: http_body::SizeHint, handoff: &Handoff<B>) {
        if self.copier.is_none() {
            let (body, copier) = copied(hint, self.kept.iter().map(clone).collect());
            handoff.go_ahead(response::Parts::clone(&self.parts), body);
            self.copier = Some(copier);
        }
    }

    /// The body is over: complete, unless it is not what was announced.
    fn end(mut self, stated: Option<Result<u64, ()>>, handoff: &Handoff<B>) -> Copy<B> {
        let is_whole = stated.is_none_or(|length| length == Ok(self.length as u64));
        let body = self.whole();
        match self.copier {
            copier if is_whole => Copy::Complete(self.parts, body, copier),
            Some(copier) => {
                copier.complete();
                Copy::Passed
            }
            None => {
                handoff.pass(*self.parts, ResponseBody::whole(body));
                Copy::Passed
            }
        }
    }

    fn fail(mut self, error: BoxError, hint: http_body::SizeHint, handoff: &Handoff<B>) -> Copy<B> {
        self.go_ahead(hint, handoff);
        if let Some(copier) = self.copier {
            copier.fail(error);
        }
        Copy::Passed
    }

    /// Goes on without a copy.
    fn pass(mut self, hint: http_body::SizeHint, handoff: &Handoff<B>) -> Copy<B> {
        self.go_ahead(hint, handoff);
        if let Some(copier) = self.copier {
            copier.pass(self.body);
        }
        Copy::Passed
    }

    fn whole(&mut self) -> Bytes {
        let mut data = std::mem::take(&mut self.kept).into_iter().filter_map(|frame| frame.into_data().ok());
        match (data.next(), data.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                let mut whole = BytesMut::with_capacity(self.length);
                whole.extend_from_slice(&first);
                whole.extend_from_slice(&second);
                data.for_each(|more| whole.extend_from_slice(&more));
                whole.freeze()
            }
        }
    }
}

fn clone(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Frame::data(data.clone()),
        (None, Some(trailers)) => Frame::trailers(trailers.clone()),
        (None, None) => Frame::data(Bytes::new()),
    }
}
