//! Work in a task of its own, which does not end when its client goes away.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use larder::in_current_computation;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};
use tracing::Instrument as _;

use crate::{body::BoxFuture, http_cache::HttpCache, origin::Origin, shared_state::DetachedPlace};

/// How often work without its client looks whether others wait for it.
const TICK: Duration = Duration::from_secs(1);

/// Work for which others wait without end is ended after so many times `disconnect_grace`: a handler that hangs must not
/// make its URL hang for as long as there are clients.
const LONGEST: u32 = 10;

/// Whether work has reached the point from which on it is completed even without its client.
#[derive(Debug, Clone, Default)]
pub(super) struct CommitFlag(Arc<AtomicBool>);

impl CommitFlag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The result of the work, or the panic that ended it.
type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// Work in a task of its own; without a runtime it is done by the request itself. A panic in it becomes a panic of the
/// request.
pub(super) enum DetachedWork<T> {
    Inline(BoxFuture<T>),
    Detached(oneshot::Receiver<Outcome<T>>),
}

/// What is known about work whose client went away.
struct Departure {
    cache: HttpCache,
    /// The response that others may wait for.
    key: Option<String>,
    began: Instant,
    /// When another client was last seen to wait for it.
    wanted: Instant,
    tick: Pin<Box<Sleep>>,
    place: Option<DetachedPlace>,
}

impl Departure {
    fn new(cache: HttpCache, key: Option<String>) -> Self {
        let now = Instant::now();
        Self { cache, key, began: now, wanted: now, tick: Box::pin(sleep(Duration::ZERO)), place: None }
    }

    /// Ready when the work is to be ended.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let grace = self.cache.config.disconnect_grace;
        while self.tick.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if self.key.as_ref().is_some_and(|key| self.cache.state.waiting.any(key)) {
                // It works for a client again.
                (self.wanted, self.place) = (now, None);
            } else if self.place.is_none() {
                self.place = self.cache.state.detached.enter(self.cache.config.max_detached);
                if self.place.is_none() {
                    return Poll::Ready(());
                }
            }
            let left = grace.saturating_sub(now - self.wanted);
            let left = left.min(grace.saturating_mul(LONGEST).saturating_sub(now - self.began));
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.tick.as_mut().reset(now + left.min(TICK));
        }
        Poll::Pending
    }
}

impl<T: Send + 'static> DetachedWork<T> {
    /// Starts the work. If its client goes away, it is dropped at once if `commit` is not set then, or if too many go on
    /// already; otherwise `disconnect_grace` after the last client went away that waited for the response under `key`.
    pub(super) fn start<O: Origin>(
        work: impl Future<Output = T> + Send + 'static,
        commit: &CommitFlag,
        cache: &HttpCache,
        key: Option<String>,
    ) -> Self {
        let mut work: BoxFuture<T> = Box::pin(work);
        if cache.config.disconnect_grace.is_zero() || !O::has_tasks() {
            return Self::Inline(work);
        }
        let (mut sender, receiver) = oneshot::channel();
        let (commit, cache) = (commit.clone(), cache.clone());
        let task = async move {
            let mut departure: Option<Departure> = None;
            let ended = poll_fn(|context| {
                if departure.is_none() && sender.poll_closed(context).is_ready() {
                    if !commit.is_set() {
                        return Poll::Ready(None);
                    }
                    departure = Some(Departure::new(cache.clone(), key.clone()));
                }
                if departure.as_mut().is_some_and(|departure| departure.poll_end(context).is_ready()) {
                    return Poll::Ready(None);
                }
                match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(outcome)) => Poll::Ready(Some(Ok(outcome))),
                    Err(panic) => Poll::Ready(Some(Err(panic))),
                }
            })
            .await;
            // What the work holds is dropped before its outcome is seen: the place in a singleflight, the handler.
            drop(work);
            if let Some(outcome) = ended {
                drop(sender.send(outcome));
            }
        };
        drop(O::spawn(Box::pin(in_current_computation(task).in_current_span())));
        Self::Detached(receiver)
    }
}

impl<T> Future for DetachedWork<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            Self::Inline(work) => work.as_mut().poll(context),
            Self::Detached(receiver) => match Pin::new(receiver).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(Ok(outcome))) => Poll::Ready(outcome),
                Poll::Ready(Ok(Err(panic))) => resume_unwind(panic),
                Poll::Ready(Err(_)) => {
                    panic!("the runtime is shutting down, and dropped the task of this request")
                }
            },
        }
    }
}
