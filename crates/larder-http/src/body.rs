//! The bodies of responses: stored ones, the handler's own, and those that are copied on their way to the client.

mod channel;
mod chunks;
mod driver;
mod handler_body;

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
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
use crate::range;

pin_project! {
    /// The body of a response from an [`HttpCache`](crate::HttpCache): a stored one, or that of the handler, `B`.
    ///
    /// Its errors are those of `B`. Copying it for the cache changes neither its data nor when the data is sent. Only the
    /// end of the body waits until the response is stored, so that the client's next request finds it in the cache.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
        // Set if only a part of it is for the client.
        part: Option<Part>,
    }
}

/// A part of a body: what is left to skip before it, and what is left of it.
#[derive(Debug, Clone, Copy)]
struct Part {
    skip: u64,
    left: u64,
}

impl Part {
    /// The bytes of `data` that are in it.
    fn take(&mut self, mut data: Bytes) -> Bytes {
        let at_most = |most: u64| usize::try_from(most).unwrap_or(usize::MAX).min(data.len());
        let skipped = at_most(self.skip);
        self.skip -= skipped as u64;
        let _ = data.split_to(skipped);
        data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= data.len() as u64;
        data
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
    fn of(kind: Kind<B>) -> Self {
        Self { kind, part: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::of(Kind::Whole { bytes })
    }

    pub(crate) fn passed(body: B) -> Self {
        Self::of(Kind::Passed { body })
    }

    pub(crate) fn copied(receiver: Receiver<B>) -> Self {
        Self::of(Kind::Copied { receiver })
    }

    /// All of it, if it is in memory.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Whole { bytes } => Some(bytes),
            _ => None,
        }
    }

    /// Leaves only this range of it for the client.
    pub(crate) fn cut(&mut self, range: &Range<u64>) {
        match &mut self.kind {
            Kind::Whole { bytes } => *bytes = range::slice(bytes, range),
            _ => self.part = Some(Part { skip: range.start, left: range.end - range.start }),
        }
    }

    /// Leaves nothing of it for the client. A copy that is being made is completed.
    pub(crate) fn make_empty(&mut self, length: Option<u64>) {
        if let Kind::Copied { receiver } = &mut self.kind {
            receiver.set_driver(CopyDriver::None);
        }
        (self.kind, self.part) = (Kind::Empty { length }, None);
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
            Kind::Passed { body } if self.part.is_none() => Some(body),
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

impl<B> Kind<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
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

    /// Lets a copy that is being made be completed, whatever becomes of the client.
    fn release(self: Pin<&mut Self>) {
        if let KindProjected::Copied { receiver } = self.project() {
            receiver.set_driver(CopyDriver::None);
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
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let mut this = self.as_mut().project();
            let Some(part) = this.part else { return this.kind.poll_frame(context) };
            if part.left == 0 {
                return Poll::Ready(None);
            }
            return Poll::Ready(match ready!(this.kind.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let data = part.take(data);
                        if part.left == 0 {
                            // A client that has its part goes away; the copy for the cache goes on.
                            this.kind.release();
                        }
                        if data.is_empty() {
                            continue;
                        }
                        Some(Ok(Frame::data(data)))
                    }
                    Err(_trailers) => continue,
                },
                // A client must not take less for the whole part.
                None => Some(Err("the response ended before the part that was asked for".into())),
                Some(Err(error)) => Some(Err(error)),
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        if let Some(part) = self.part {
            return part.left == 0;
        }
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Empty { .. } => true,
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Copied { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(part) = self.part {
            return SizeHint::with_exact(part.left);
        }
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
