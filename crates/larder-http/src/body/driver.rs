//! What drives the copying of a body.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::task::AbortHandle;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What polls the future that copies a body for the cache.
pub(crate) enum CopyDriver {
    None,
    /// A task, which ends with the client: a slow client delays no other one.
    Task(AbortHandle),
    /// A task that goes on without its client. It learns from this being dropped that the client went away.
    Detached(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Send>),
    /// The client's own polls: there is no runtime.
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "Actix always has a runtime"))]
    Inline(BoxFuture<()>),
}

impl CopyDriver {
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        if let Self::Inline(task) = self
            && let Poll::Ready(()) = task.as_mut().poll(context)
        {
            *self = Self::None;
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}
