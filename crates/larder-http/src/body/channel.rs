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
    (Receiver { channel: channel.clone(), remaining, driver: CopyDriver::None }, Copier { channel })
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
            Some(End::Rest(rest)) => {
                rest.as_mut().poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Some(end) => match std::mem::replace(end, End::Seen) {
                End::Failed(error) => Poll::Ready(Some(Err(error))),
                End::BrokenOff => Poll::Ready(Some(Err("the response broke off".into()))),
                End::Complete | End::Rest(_) | End::Seen => Poll::Ready(None),
            },
        }
    }
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
