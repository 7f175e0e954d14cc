//! Bodies of responses: Actix' for the cache, and the cache's for Actix.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_http::body::{BodySize, MessageBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use send_wrapper::SendWrapper;

use super::OnDrop;
use crate::body::{BoxError, ResponseBody};

/// The body of a response of Actix' that passed the cache.
pub struct HttpCacheBody<B: MessageBody + 'static> {
    body: Pin<Box<ResponseBody<Handlers<B>>>>,
    after: Option<OnDrop>,
}

impl<B: MessageBody + 'static> HttpCacheBody<B> {
    pub(super) fn new(body: ResponseBody<Handlers<B>>) -> Self {
        Self { body: Box::pin(body), after: None }
    }

    /// Drops this when the response was sent, or given up.
    pub(super) fn followed_by(mut self, after: Option<OnDrop>) -> Self {
        self.after = after;
        self
    }
}

impl<B: MessageBody + 'static> MessageBody for HttpCacheBody<B> {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        if let Some(length) = self.body.length_of_nothing() {
            return length.map_or(BodySize::None, BodySize::Sized);
        }
        if let Some(passed) = self.body.as_passed() {
            return passed.body.size();
        }
        self.body.size_hint().exact().map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            return Poll::Ready(match ready!(self.body.as_mut().poll_frame(context)) {
                None => None,
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    // Actix has no trailers.
                    Err(_) => continue,
                },
            });
        }
    }
}

impl<B: MessageBody + 'static> fmt::Debug for HttpCacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCacheBody").field("body", &self.body).finish_non_exhaustive()
    }
}

/// A handler's body, for the cache.
pub(crate) struct Handlers<B> {
    body: SendWrapper<Pin<Box<B>>>,
}

impl<B: MessageBody> Handlers<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: SendWrapper::new(Box::pin(body)) }
    }
}

impl<B: MessageBody> Body for Handlers<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // An error of Actix' need not be one that other threads can have; its text is.
        let text =
            |error: B::Error| BoxError::from(Into::<Box<dyn std::error::Error>>::into(error).to_string());
        let next = self.body.as_mut().poll_next(context);
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(text)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.size().is_eof()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size() {
            BodySize::None => SizeHint::with_exact(0),
            BodySize::Sized(length) => SizeHint::with_exact(length),
            BodySize::Stream => SizeHint::default(),
        }
    }
}
