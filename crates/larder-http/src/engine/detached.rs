//! Work in a task of its own, which a client who goes away does not end.

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

use crate::origin::Origin;

/// Whether work has come to where it is to be done whoever wants it: until then it ends with its client.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun(Arc<AtomicBool>);

impl Begun {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What came of the work, or the panic that ended it.
type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// Work that is done elsewhere, or here where there is no runtime for that. A panic in it is one of who waits.
pub(super) enum Work<T> {
    Here(Pin<Box<dyn Future<Output = T> + Send>>),
    Apart(oneshot::Receiver<Outcome<T>>),
}

impl<T: Send + 'static> Work<T> {
    /// As a task of its own, if there can be one, for so long after nobody waits for it any more.
    pub(super) fn start<O: Origin>(
        work: impl Future<Output = T> + Send + 'static,
        begun: &Begun,
        outlives: Duration,
    ) -> Self {
        let mut work: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(work);
        if outlives.is_zero() || !O::has_tasks() {
            return Self::Here(work);
        }
        let (mut sender, receiver) = oneshot::channel();
        let begun = begun.clone();
        let task = async move {
            let mut end: Option<Pin<Box<Sleep>>> = None;
            let ended = poll_fn(|context| {
                if end.is_none() && sender.poll_closed(context).is_ready() {
                    if !begun.is_set() {
                        return Poll::Ready(None);
                    }
                    end = Some(Box::pin(sleep(outlives)));
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
            // What it was made with ends before its outcome is there: a flight, a handler's place.
            drop(work);
            if let Some(outcome) = ended {
                drop(sender.send(outcome));
            }
        };
        drop(O::spawn(Box::pin(in_current_computation(task).in_current_span())));
        Self::Apart(receiver)
    }
}

impl<T> Future for Work<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            Self::Here(work) => work.as_mut().poll(context),
            Self::Apart(receiver) => match Pin::new(receiver).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(Ok(outcome))) => Poll::Ready(outcome),
                Poll::Ready(Ok(Err(panic))) => resume_unwind(panic),
                Poll::Ready(Err(_)) => {
                    panic!("the runtime is shutting down, and ended a request of the cache")
                }
            },
        }
    }
}
