//! What answers when the cache does not: the handler, whatever the framework.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Response, StatusCode};
use tokio::task::AbortHandle;

use crate::{body::HandlerBody, conditional::Changes};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A handler with a request for it.
pub(crate) trait Origin: Send + 'static {
    type Body: HandlerBody;
    type Error: Send + 'static;

    /// Waits until it can answer.
    fn ready(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Answers the request, once it is ready, with these changes.
    fn call(self, changes: Changes)
    -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;

    /// The status of the response that the framework makes of an error, if it makes one.
    fn status_of(error: &Self::Error) -> Option<StatusCode>;

    /// Whether there is a runtime to spawn tasks on, from here.
    fn has_tasks() -> bool;

    /// Runs a task beside the request's own; where there is no runtime for that, gives it back.
    fn spawn(task: BoxFuture<()>) -> Driver;
}

/// What keeps a copy going.
pub(crate) enum Driver {
    None,
    /// A task of its own: a slow client holds up nobody.
    Task(AbortHandle),
    /// A task of its own, which is not to end with the client, and knows by this whether there still is one.
    Apart(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Send>),
    /// The client: there is no runtime.
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "Actix always has a runtime"))]
    Inline(BoxFuture<()>),
}

impl Driver {
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
