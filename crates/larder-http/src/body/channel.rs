//! The channel between a body that is copied for the cache and its client.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{chunks::Chunks, driver::CopyDriver, handler_body::BoxError};

/// The client's end.
pub(crate) struct Receiver<B> {
    channel: Arc<Mutex<Channel<B>>>,
    remaining: SizeHint,
    driver: CopyDriver,
    /// What of the body is not copied, once all that was is taken: the handler's own, polled without the lock.
    rest: Option<Pin<Box<B>>>,
}

/// The copier's end. If it is dropped early, the body ends with an error: a client must not take a part for the whole.
pub(crate) struct Copier<B> {
    channel: Arc<Mutex<Channel<B>>>,
}

struct Channel<B> {
    data: Chunks,
    trailers: Option<HeaderMap>,
    /// No more data follows, though the client does not see the end yet.
    has_all: bool,
    end: Option<End<B>>,
    waiting: Option<Waker>,
}

/// What follows data and trailers.
enum End<B> {
    Complete,
    Failed(BoxError),
    /// The rest is not copied.
    Rest(Pin<Box<B>>),
    /// The copier was dropped.
    BrokenOff,
    /// The client has seen it.
    Seen,
}

/// A channel for a body of which `data` is there already, and `remaining` is to come, `data` included.
pub(crate) fn channel<B>(
    remaining: SizeHint,
    data: Chunks,
    trailers: Option<HeaderMap>,
) -> (Receiver<B>, Copier<B>) {
    let channel = Channel { data, trailers, has_all: false, end: None, waiting: None };
    let channel = Arc::new(Mutex::new(channel));
    let driver = CopyDriver::None;
    (Receiver { channel: channel.clone(), remaining, driver, rest: None }, Copier { channel })
}

impl<B> Copier<B> {
    /// Sends data, which may be the last of the body.
    pub(crate) fn push(&self, data: Bytes, is_last: bool) {
        self.change(|channel| {
            channel.data.push(data);
            channel.has_all |= is_last;
        });
    }

    pub(crate) fn push_trailers(&self, trailers: Option<HeaderMap>) {
        self.change(|channel| channel.trailers = trailers);
    }

    /// All of the body is there: a client that goes away now does not stop the copy.
    pub(crate) fn has_all(&self) {
        self.change(|channel| channel.has_all = true);
    }

    /// Ends the body.
    pub(crate) fn complete(self) {
        self.finish(End::Complete);
    }

    pub(crate) fn fail(self, error: BoxError) {
        self.finish(End::Failed(error));
    }

    /// Passes on what follows without copying it.
    pub(crate) fn pass(self, rest: Pin<Box<B>>) {
        self.finish(End::Rest(rest));
    }

    fn finish(&self, end: End<B>) {
        self.change(|channel| channel.end = Some(end));
    }

    /// Changes the channel and wakes the client. Not under the lock: the client may poll at once.
    fn change(&self, change: impl FnOnce(&mut Channel<B>)) {
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
        self.change(|channel| {
            channel.end.get_or_insert(End::BrokenOff);
        });
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Receiver<B> {
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.driver.poll(context);
        if let Some(rest) = &mut self.rest {
            return poll_rest(rest, context);
        }
        let mut channel = lock(&self.channel);
        if let Some(data) = channel.data.pop() {
            if let Some(exact) = self.remaining.exact() {
                self.remaining = SizeHint::with_exact(exact.saturating_sub(data.len() as u64));
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
            Some(end) => match std::mem::replace(end, End::Seen) {
                End::Failed(error) => Poll::Ready(Some(Err(error))),
                End::BrokenOff => Poll::Ready(Some(Err("the response broke off".into()))),
                End::Rest(rest) => {
                    drop(channel);
                    poll_rest(self.rest.insert(rest), context)
                }
                End::Complete | End::Seen => Poll::Ready(None),
            },
        }
    }
}

fn poll_rest<B: Body<Data = Bytes, Error: Into<BoxError>>>(
    rest: &mut Pin<Box<B>>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    rest.as_mut().poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
}

impl<B> Receiver<B> {
    pub(crate) fn remaining(&self) -> SizeHint {
        self.remaining
    }

    pub(crate) fn set_driver(&mut self, driver: CopyDriver) {
        self.driver = driver;
    }
}

impl<B> Drop for Receiver<B> {
    fn drop(&mut self) {
        // The client did not take all of it: it is not stored, and one of the waiting requests calls the handler again.
        let channel = lock(&self.channel);
        if channel.end.is_none() && !channel.has_all {
            self.driver.stop();
        }
    }
}

fn lock<B>(channel: &Mutex<Channel<B>>) -> MutexGuard<'_, Channel<B>> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of a handler's that notes whether the channel is free while it is polled.
    struct Rest {
        channel: Arc<Mutex<Channel<Self>>>,
        was_free: Arc<Mutex<Vec<bool>>>,
    }

    impl Body for Rest {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.was_free.lock().unwrap().push(self.channel.try_lock().is_ok());
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"rest")))))
        }
    }

    #[test]
    fn a_handler_s_body_is_polled_without_the_lock() {
        let (mut receiver, copier) = channel::<Rest>(SizeHint::default(), Chunks::default(), None);
        copier.push(Bytes::from_static(b"copied"), false);
        let was_free = Arc::default();
        let rest = Rest { channel: receiver.channel.clone(), was_free: Arc::clone(&was_free) };
        copier.pass(Box::pin(rest));
        let mut context = Context::from_waker(Waker::noop());
        for expected in ["copied", "rest", "rest"] {
            let Poll::Ready(Some(Ok(frame))) = receiver.poll_frame(&mut context) else {
                panic!("{expected}")
            };
            assert_eq!(frame.into_data().ok().as_deref(), Some(expected.as_bytes()));
        }
        assert_eq!(*was_free.lock().unwrap(), [true, true]);
    }
}
