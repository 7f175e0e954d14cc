//! Bodies of responses: those of Actix for the cache, and those of the cache for Actix.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_http::body::{BodySize, MessageBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use send_wrapper::SendWrapper;
use tokio::sync::oneshot;

use crate::body::{BoxError, ResponseBody};

/// Its receiver learns when it is dropped.
pub(super) type OnDrop = oneshot::Sender<Infallible>;

/// The body of a response from an [`HttpCache`](crate::HttpCache) in Actix.
pub struct HttpCacheBody<B: MessageBody + 'static> {
    body: Pin<Box<ResponseBody<ActixBody<B>>>>,
    on_drop: Option<OnDrop>,
}

impl<B: MessageBody + 'static> HttpCacheBody<B> {
    pub(super) fn new(body: ResponseBody<ActixBody<B>>) -> Self {
        Self { body: Box::pin(body), on_drop: None }
    }

    /// Drops `on_drop` when the response was sent, or its client went away.
    pub(super) fn followed_by(mut self, on_drop: Option<OnDrop>) -> Self {
        self.on_drop = on_drop;
        self
    }
}

impl<B: MessageBody + 'static> MessageBody for HttpCacheBody<B> {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        if let Some(length) = self.body.length_of_empty() {
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

/// The body of a handler of Actix', for the cache.
pub(crate) struct ActixBody<B> {
    body: SendWrapper<Pin<Box<B>>>,
}

impl<B: MessageBody> ActixBody<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: SendWrapper::new(Box::pin(body)) }
    }
}

impl<B: MessageBody> Body for ActixBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // An error of Actix' need not be `Send`; its text is.
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
