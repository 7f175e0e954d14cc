//! The bodies of responses: stored ones, the handler's own, and those that are copied on their way to the client.

mod channel;
mod chunks;
mod driver;
mod handler_body;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use self::channel::Receiver;
pub(crate) use self::{
    channel::{Copier, channel},
    chunks::Chunks,
    driver::{BoxFuture, CopyDriver},
    handler_body::{BoxError, HandlerBody},
};

pin_project! {
    /// The body of a response from an [`HttpCache`](crate::HttpCache): a stored one, or that of the handler, `B`.
    ///
    /// Its errors are those of `B`. Copying it for the cache changes neither its data nor when the data is sent. Only the
    /// end of the body waits until the response is stored, so that the client's next request finds it in the cache.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjected]
    enum Kind<B> {
        /// All of it is in memory.
        Whole { bytes: Bytes },
        /// There is none, though it may have a length: in a response to `HEAD`.
        Empty { length: Option<u64> },
        /// The handler's, unchanged.
        Passed { #[pin] body: B },
        /// The handler's, copied on its way.
        Copied { receiver: Receiver<B> },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole { bytes } }
    }

    pub(crate) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    pub(crate) fn copied(receiver: Receiver<B>) -> Self {
        Self { kind: Kind::Copied { receiver } }
    }

    /// Whether all of it is in memory.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Whole { .. })
    }

    /// Leaves nothing of it for the client. A copy that is being made is completed.
    pub(crate) fn make_empty(&mut self, length: Option<u64>) {
        if let Kind::Copied { receiver } = &mut self.kind {
            receiver.set_driver(CopyDriver::None);
        }
        self.kind = Kind::Empty { length };
    }

    /// All of it, if it is in memory.
    #[cfg(feature = "actix")]
    pub(crate) fn into_whole(self) -> Option<Bytes> {
        match self.kind {
            Kind::Whole { bytes } => Some(bytes),
            _ => None,
        }
    }

    /// The length that the headers announce, if there is no body.
    #[cfg(feature = "actix")]
    pub(crate) fn length_of_empty(&self) -> Option<Option<u64>> {
        match self.kind {
            Kind::Empty { length } => Some(length),
            _ => None,
        }
    }

    /// The handler's body, if this is that.
    #[cfg(feature = "actix")]
    pub(crate) fn as_passed(&self) -> Option<&B> {
        match &self.kind {
            Kind::Passed { body } => Some(body),
            _ => None,
        }
    }

    /// Ties the copying of the body to the client: it goes on for as long as the body is wanted.
    pub(crate) fn set_driver(&mut self, driver: CopyDriver) {
        if let Kind::Copied { receiver } = &mut self.kind {
            receiver.set_driver(driver);
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjected::Whole { bytes } => {
                let whole = std::mem::take(bytes);
                Poll::Ready((!whole.is_empty()).then(|| Ok(Frame::data(whole))))
            }
            KindProjected::Empty { .. } => Poll::Ready(None),
            KindProjected::Passed { body } => {
                body.poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProjected::Copied { receiver } => receiver.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Empty { .. } => true,
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Copied { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            // Not a length of 0: a 304 has the length of the response that it stands for, or none.
            Kind::Empty { .. } => SizeHint::default(),
            Kind::Passed { body } => body.size_hint(),
            Kind::Copied { receiver } => receiver.remaining(),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Whole { .. } => "Whole",
            Kind::Empty { .. } => "Empty",
            Kind::Passed { .. } => "Passed",
            Kind::Copied { .. } => "Copied",
        };
        f.debug_struct("ResponseBody").field("kind", &kind).finish_non_exhaustive()
    }
}
