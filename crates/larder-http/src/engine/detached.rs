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
    time::{Sleep, sleep},
};
use tracing::Instrument as _;

use crate::{body::BoxFuture, origin::Origin};

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

impl<T: Send + 'static> DetachedWork<T> {
    /// Starts the work. It is dropped `disconnect_grace` after its client went away, or at once if `commit` is not set
    /// then.
    pub(super) fn start<O: Origin>(
        work: impl Future<Output = T> + Send + 'static,
        commit: &CommitFlag,
        disconnect_grace: Duration,
    ) -> Self {
        let mut work: BoxFuture<T> = Box::pin(work);
        if disconnect_grace.is_zero() || !O::has_tasks() {
            return Self::Inline(work);
        }
        let (mut sender, receiver) = oneshot::channel();
        let commit = commit.clone();
        let task = async move {
            let mut end: Option<Pin<Box<Sleep>>> = None;
            let ended = poll_fn(|context| {
                if end.is_none() && sender.poll_closed(context).is_ready() {
                    if !commit.is_set() {
                        return Poll::Ready(None);
                    }
                    end = Some(Box::pin(sleep(disconnect_grace)));
                }
                if end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready()) {
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
