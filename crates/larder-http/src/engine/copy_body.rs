//! Copying a body on its way to the client.

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
    body::{BoxError, Copier, HandlerBody, ResponseBody, copied},
    conditional::content_length,
    pieces::Pieces,
};

/// How much of a body is copied, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// What came of copying.
pub(super) enum BodyCopy<B> {
    /// The body is complete; if its head went ahead, the client waits to be told.
    Complete(Box<response::Parts>, Bytes, Option<Copier<B>>),
    /// It is larger, or slower, than what is copied, or no body for that. The client has it, or its rest.
    Refused,
    /// It broke off, or was not what was announced. The client has that.
    Broken,
}

/// Reads a body for the cache, within limits. If it does not come at once, the client gets it as it comes.
pub(super) async fn copy<B: HandlerBody>(
    parts: response::Parts,
    body: B,
    limits: Limits,
    handoff: &Handoff<B>,
) -> BodyCopy<B> {
    let hint = body.size_hint();
    let stated = content_length(&parts.headers);
    let most = limits.bytes as u64;
    if hint.lower() > most || matches!(stated, Some(Ok(length)) if length > most) || stated == Some(Err(())) {
        handoff.pass(parts, ResponseBody::passed(body));
        return BodyCopy::Refused;
    }
    let known = hint.exact().or(stated.and_then(Result::ok));
    let mut copying = Copying {
        parts: Box::new(parts),
        body: Box::pin(body),
        hint,
        known,
        kept: Pieces::default(),
        copier: None,
        given_up: None,
    };
    loop {
        match poll_fn(|context| copying.poll(context, limits.time, handoff)).await {
            Next::Frame(None) => return copying.end(stated, handoff),
            Next::Frame(Some(Err(error))) => return copying.fail(error, handoff),
            Next::Frame(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    copying.keep(data);
                    if copying.kept.len() > limits.bytes {
                        return copying.pass(None, handoff);
                    }
                    if copying.body.is_end_stream() {
                        return copying.end(stated, handoff);
                    }
                }
                // Trailers are not stored, and neither is what has some.
                Err(frame) => return copying.pass(frame.into_trailers().ok(), handoff),
            },
            Next::Late => return copying.pass(None, handoff),
        }
    }
}

struct Copying<B> {
    parts: Box<response::Parts>,
    body: Pin<Box<B>>,
    hint: SizeHint,
    /// The length, if it is known beforehand.
    known: Option<u64>,
    kept: Pieces,
    /// Once the head was handed over.
    copier: Option<Copier<B>>,
    /// When the body has been on its way for too long.
    given_up: Option<Pin<Box<Sleep>>>,
}

enum Next {
    Frame(Option<Result<Frame<Bytes>, BoxError>>),
    Late,
}

impl<B: HandlerBody> Copying<B> {
    /// What comes next. The first wait for it hands the head over.
    fn poll(&mut self, context: &mut Context<'_>, time: Duration, handoff: &Handoff<B>) -> Poll<Next> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(context) {
            return Poll::Ready(Next::Frame(frame.map(|frame| frame.map_err(Into::into))));
        }
        if self.copier.is_none() {
            self.go_ahead(None, handoff);
            // Where there is no runtime, the client drives the copy, and nothing tells the time.
            self.given_up = Handle::try_current().is_ok().then(|| Box::pin(sleep(time)));
        }
        match &mut self.given_up {
            Some(late) => late.as_mut().poll(context).map(|()| Next::Late),
            None => Poll::Pending,
        }
    }

    /// Hands the head over, with what has come so far.
    fn go_ahead(&mut self, trailers: Option<HeaderMap>, handoff: &Handoff<B>) {
        let (body, copier) = copied(self.hint, self.kept.clone(), trailers);
        handoff.go_ahead(response::Parts::clone(&self.parts), body);
        self.copier = Some(copier);
    }

    fn keep(&mut self, data: Bytes) {
        self.kept.push(data.clone());
        // A client who knows the length leaves with the last of it, and does not wait to be told.
        let is_last = self.known == Some(self.kept.len() as u64) || self.body.is_end_stream();
        if let Some(copier) = &self.copier {
            copier.push(data, is_last);
        }
    }

    /// The body is over: complete, unless it is not what was announced.
    fn end(self, stated: Option<Result<u64, ()>>, handoff: &Handoff<B>) -> BodyCopy<B> {
        let is_whole = stated.is_none_or(|length| length == Ok(self.kept.len() as u64));
        if let Some(copier) = self.copier.as_ref().filter(|_| is_whole) {
            copier.has_all();
        }
        let body = self.kept.whole();
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
            self.go_ahead(None, handoff);
        }
        if let Some(copier) = self.copier {
            copier.fail(error);
        }
        BodyCopy::Broken
    }

    /// Goes on without a copy, after these trailers.
    fn pass(mut self, trailers: Option<HeaderMap>, handoff: &Handoff<B>) -> BodyCopy<B> {
        match &self.copier {
            None => self.go_ahead(trailers, handoff),
            Some(copier) => copier.push_trailers(trailers),
        }
        if let Some(copier) = self.copier {
            copier.pass(self.body);
        }
        BodyCopy::Refused
    }
}
