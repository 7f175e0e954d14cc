//! Copies a body for the cache on its way to the client.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, response};
use http_body::{Frame, SizeHint};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use super::handoff::Handoff;
use crate::{
    body::{BoxError, Chunks, Copier, HandlerBody, ResponseBody, channel},
    headers::content_length,
};

/// The largest body that is copied, and the longest time for that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// The result of copying.
pub(super) enum BodyCopy<B> {
    /// The body is complete. If the client already has the head, its copier ends the client's body.
    Complete(Box<response::Parts>, Bytes, Option<Copier<B>>),
    /// The body is larger than the limit. It was passed on to the client.
    TooLarge,
    /// The body takes too long, has trailers, or announces no valid length. It was passed on to the client.
    Refused,
    /// The body broke off, or does not have the announced length. It was passed on to the client.
    Broken,
}

/// Copies a body within limits. If it is not ready at once, the client gets it while it is copied.
pub(super) async fn copy<B: HandlerBody>(
    parts: response::Parts,
    body: B,
    limits: Limits,
    handoff: &Handoff<B>,
) -> BodyCopy<B> {
    let hint = body.size_hint();
    let stated = content_length(&parts.headers);
    let most = limits.bytes as u64;
    let is_too_large = hint.lower() > most || matches!(stated, Some(Ok(length)) if length > most);
    if is_too_large || stated == Some(Err(())) {
        handoff.pass(parts, ResponseBody::passed(body));
        return if is_too_large { BodyCopy::TooLarge } else { BodyCopy::Refused };
    }
    let known = hint.exact().or(stated.and_then(Result::ok));
    let mut copying = Copying {
        parts: Box::new(parts),
        body: Box::pin(body),
        hint,
        known,
        copy: Chunks::default(),
        copier: None,
        timeout: None,
    };
    loop {
        match poll_fn(|context| copying.poll(context, limits.time, handoff)).await {
            Next::Frame(None) => return copying.end(stated, handoff),
            Next::Frame(Some(Err(error))) => return copying.fail(error, handoff),
            Next::Frame(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    copying.push(data);
                    if copying.copy.len() > limits.bytes {
                        copying.pass(None, handoff);
                        return BodyCopy::TooLarge;
                    }
                    if copying.body.is_end_stream() {
                        return copying.end(stated, handoff);
                    }
                }
                // Trailers are not stored, and neither is what has some.
                Err(frame) => return copying.pass(frame.into_trailers().ok(), handoff),
            },
            Next::TimedOut => return copying.pass(None, handoff),
        }
    }
}

struct Copying<B> {
    parts: Box<response::Parts>,
    body: Pin<Box<B>>,
    hint: SizeHint,
    /// The length, if it is known in advance.
    known: Option<u64>,
    copy: Chunks,
    /// Set once the head was handed over.
    copier: Option<Copier<B>>,
    /// Ends when the body has taken too long.
    timeout: Option<Pin<Box<Sleep>>>,
}

enum Next {
    Frame(Option<Result<Frame<Bytes>, BoxError>>),
    TimedOut,
}

impl<B: HandlerBody> Copying<B> {
    /// Polls for the next frame. If it is not ready, hands the head over.
    fn poll(&mut self, context: &mut Context<'_>, time: Duration, handoff: &Handoff<B>) -> Poll<Next> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(context) {
            return Poll::Ready(Next::Frame(frame.map(|frame| frame.map_err(Into::into))));
        }
        if self.copier.is_none() {
            self.stream(None, handoff);
            // Without a runtime, the client drives the copy, and there are no timers.
            self.timeout = Handle::try_current().is_ok().then(|| Box::pin(sleep(time)));
        }
        match &mut self.timeout {
            Some(timeout) => timeout.as_mut().poll(context).map(|()| Next::TimedOut),
            None => Poll::Pending,
        }
    }

    /// Hands over the head and the data so far.
    fn stream(&mut self, trailers: Option<HeaderMap>, handoff: &Handoff<B>) {
        let (receiver, copier) = channel(self.hint, self.copy.clone(), trailers);
        handoff.stream(response::Parts::clone(&self.parts), ResponseBody::copied(receiver));
        self.copier = Some(copier);
    }

    fn push(&mut self, data: Bytes) {
        self.copy.push(data.clone());
        // A client that knows the length goes away after the last data, without waiting for the end.
        let is_last = self.known == Some(self.copy.len() as u64) || self.body.is_end_stream();
        if let Some(copier) = &self.copier {
            copier.push(data, is_last);
        }
    }

    /// The body ended: it is complete, unless its length is not the announced one. The end of a body that is too short is an
    /// error for its client, who could not tell otherwise: the response may have no `Content-Length` yet.
    fn end(self, stated: Option<Result<u64, ()>>, handoff: &Handoff<B>) -> BodyCopy<B> {
        let length = self.copy.len() as u64;
        let announced = [self.hint.exact(), stated.and_then(Result::ok)].into_iter().flatten();
        if announced.clone().any(|announced| length < announced) {
            return self.fail("the response ended before its announced length".into(), handoff);
        }
        let is_whole = announced.clone().all(|announced| length == announced);
        if let Some(copier) = self.copier.as_ref().filter(|_| is_whole) {
            copier.has_all();
        }
        let body = self.copy.whole();
        match self.copier {
            copier if is_whole => BodyCopy::Complete(self.parts, body, copier),
            Some(copier) => {
                copier.complete();
                BodyCopy::Broken
            }
            None => {
                handoff.pass(*self.parts, ResponseBody::whole(body));
                BodyCopy::Broken
            }
        }
    }

    fn fail(mut self, error: BoxError, handoff: &Handoff<B>) -> BodyCopy<B> {
        if self.copier.is_none() {
            self.stream(None, handoff);
        }
        if let Some(copier) = self.copier {
            copier.fail(error);
        }
        BodyCopy::Broken
    }

    /// Passes on the rest of the body without copying it, after these trailers.
    fn pass(mut self, trailers: Option<HeaderMap>, handoff: &Handoff<B>) -> BodyCopy<B> {
        match &self.copier {
            None => self.stream(trailers, handoff),
            Some(copier) => copier.push_trailers(trailers),
        }
        if let Some(copier) = self.copier {
            copier.pass(self.body);
        }
        BodyCopy::Refused
    }
}
