//! The bodies of responses: stored ones, the handler's own, and those that are copied on their way.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{origin::Driver, pieces::Pieces};

/// What went wrong with a body, whatever it is.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What a handler's body has to be.
pub(crate) trait HandlerBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static> HandlerBody for B {}

pin_project! {
    /// The body of a response that passed the cache.
    ///
    /// Its errors are those of the handler's body `B`. A copy for the cache never changes what is passed on, nor
    /// when; only the end is told when the response is stored, so that who asks again is answered from the cache.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjected]
    enum Kind<B> {
        /// In memory, all of it.
        Whole { bytes: Bytes },
        /// Nothing, though it may have a length: that of a response to `HEAD`.
        Nothing { length: Option<u64> },
        /// The handler's.
        Passed { #[pin] body: B },
        /// Copied on its way.
        Copied { copied: Copied<B> },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole { bytes } }
    }

    pub(crate) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    fn copied(copied: Copied<B>) -> Self {
        Self { kind: Kind::Copied { copied } }
    }

    /// Whether all of it is in memory.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Whole { .. })
    }

    /// Leaves nothing of it for the client. A copy that is being made is made to the end.
    pub(crate) fn let_go(&mut self, length: Option<u64>) {
        if let Kind::Copied { copied } = &mut self.kind {
            copied.driver = Driver::None;
        }
        self.kind = Kind::Nothing { length };
    }

    /// All of it, if it is in memory.
    #[cfg(feature = "actix")]
    pub(crate) fn into_whole(self) -> Option<Bytes> {
        match self.kind {
            Kind::Whole { bytes } => Some(bytes),
            _ => None,
        }
    }

    /// The length that the head tells, where there is no body.
    #[cfg(feature = "actix")]
    pub(crate) fn length_of_nothing(&self) -> Option<Option<u64>> {
        match self.kind {
            Kind::Nothing { length } => Some(length),
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

    /// Makes whoever copies the body go on with that for as long as the body is wanted.
    pub(crate) fn driven_by(&mut self, copying: Driver) {
        if let Kind::Copied { copied } = &mut self.kind {
            copied.driver = copying;
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
            KindProjected::Nothing { .. } => Poll::Ready(None),
            KindProjected::Passed { body } => {
                body.poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProjected::Copied { copied } => copied.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Nothing { .. } => true,
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Copied { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            // No length of 0 where there is none to tell: a 304 has that of its page, or none.
            Kind::Nothing { .. } => SizeHint::default(),
            Kind::Passed { body } => body.size_hint(),
            Kind::Copied { copied } => copied.left,
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Whole { .. } => "Whole",
            Kind::Nothing { .. } => "Nothing",
            Kind::Passed { .. } => "Passed",
            Kind::Copied { .. } => "Copied",
        };
        f.debug_struct("ResponseBody").field("kind", &kind).finish_non_exhaustive()
    }
}

/// The client's end of a body that is copied.
struct Copied<B> {
    channel: Arc<Mutex<Channel<B>>>,
    left: SizeHint,
    driver: Driver,
}

/// The copier's end. Dropped before its time, it breaks the body off: a client must not take a part for all.
pub(crate) struct Copier<B> {
    channel: Arc<Mutex<Channel<B>>>,
}

struct Channel<B> {
    data: Pieces,
    trailers: Option<HeaderMap>,
    /// Nothing more comes, though the end is not told yet.
    has_all: bool,
    end: Option<End<B>>,
    waiting: Option<Waker>,
}

/// What comes after data and trailers.
enum End<B> {
    Complete,
    Failed(BoxError),
    /// The rest is not copied.
    Rest(Pin<Box<B>>),
    /// Nobody copies any more.
    BrokenOff,
    /// It was told.
    Over,
}

/// A body that is copied, which still has `left` to come.
pub(crate) fn copied<B>(
    left: SizeHint,
    data: Pieces,
    trailers: Option<HeaderMap>,
) -> (ResponseBody<B>, Copier<B>) {
    let channel = Channel { data, trailers, has_all: false, end: None, waiting: None };
    let channel = Arc::new(Mutex::new(channel));
    let copied = Copied { channel: channel.clone(), left, driver: Driver::None };
    (ResponseBody::copied(copied), Copier { channel })
}

impl<B> Copier<B> {
    /// More of the body, and whether that is the last of it.
    pub(crate) fn push(&self, data: Bytes, is_last: bool) {
        self.tell(|channel| {
            channel.data.push(data);
            channel.has_all |= is_last;
        });
    }

    pub(crate) fn push_trailers(&self, trailers: Option<HeaderMap>) {
        self.tell(|channel| channel.trailers = trailers);
    }

    /// All of the body came: a client who goes away now keeps nobody from it.
    pub(crate) fn has_all(&self) {
        self.tell(|channel| channel.has_all = true);
    }

    /// The body is over, and what there is to do about it is done.
    pub(crate) fn complete(self) {
        self.finish(End::Complete);
    }

    pub(crate) fn fail(self, error: BoxError) {
        self.finish(End::Failed(error));
    }

    /// What follows is not copied any more.
    pub(crate) fn pass(self, rest: Pin<Box<B>>) {
        self.finish(End::Rest(rest));
    }

    fn finish(&self, end: End<B>) {
        self.tell(|channel| channel.end = Some(end));
    }

    /// Changes what the client finds, and wakes it; not under the lock, as who is woken may look at once.
    fn tell(&self, change: impl FnOnce(&mut Channel<B>)) {
        let mut channel = lock(&self.channel);
        change(&mut channel);
        let waiting = channel.waiting.take();
        drop(channel);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<B> Drop for Copier<B> {
    fn drop(&mut self) {
        self.tell(|channel| {
            channel.end.get_or_insert(End::BrokenOff);
        });
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Copied<B> {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.driver.poll(context);
        let mut channel = lock(&self.channel);
        if let Some(data) = channel.data.pop() {
            if let Some(exact) = self.left.exact() {
                self.left = SizeHint::with_exact(exact.saturating_sub(data.len() as u64));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = channel.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut channel.end {
            None => {
                channel.waiting = Some(context.waker().clone());
                Poll::Pending
            }
            Some(End::Rest(rest)) => {
                rest.as_mut().poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Some(end) => match std::mem::replace(end, End::Over) {
                End::Failed(error) => Poll::Ready(Some(Err(error))),
                End::BrokenOff => Poll::Ready(Some(Err("the response broke off".into()))),
                End::Complete | End::Rest(_) | End::Over => Poll::Ready(None),
            },
        }
    }
}

impl<B> Drop for Copied<B> {
    fn drop(&mut self) {
        // What was not all wanted is not stored; those who wait for it have somebody else ask again.
        let channel = lock(&self.channel);
        if channel.end.is_none() && !channel.has_all {
            self.driver.stop();
        }
    }
}

fn lock<B>(channel: &Mutex<Channel<B>>) -> MutexGuard<'_, Channel<B>> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}
