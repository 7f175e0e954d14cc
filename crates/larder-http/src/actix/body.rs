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

/// An error of Actix' need not be `Send`; the texts of it and of its sources are.
fn sendable(error: impl Into<Box<dyn std::error::Error>>) -> BoxError {
    larder::internal::texts_of(&*error.into()).into()
}

impl<B: MessageBody> Body for ActixBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.body.as_mut().poll_next(context);
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(sendable)))
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

#[cfg(test)]
mod tests {
    use std::{error::Error, io};

    use super::*;

    /// A body that fails with an error that is not `Send`, and has a source.
    struct Failing;

    #[derive(Debug)]
    struct NotSend {
        source: io::Error,
        _not_send: std::marker::PhantomData<std::rc::Rc<()>>,
    }

    impl fmt::Display for NotSend {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the rows end early")
        }
    }

    impl Error for NotSend {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.source)
        }
    }

    impl MessageBody for Failing {
        type Error = Box<dyn Error>;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            let source = io::Error::other("the database went away");
            let error = NotSend { source, _not_send: std::marker::PhantomData };
            Poll::Ready(Some(Err(error.into())))
        }
    }

    #[test]
    fn an_error_keeps_its_sources() {
        let mut body = std::pin::pin!(ActixBody::new(Failing));
        let frame = body.as_mut().poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        let Poll::Ready(Some(Err(error))) = frame else { panic!("it fails at once") };
        assert_eq!(error.to_string(), "the rows end early");
        assert_eq!(error.source().unwrap().to_string(), "the database went away");
    }
}
