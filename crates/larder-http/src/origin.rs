//! The origin of responses: a handler of either framework, with a request for it.

use std::future::Future;

use http::{Response, StatusCode, Uri};

use crate::{
    body::{BoxFuture, CopyDriver, HandlerBody},
    validation::RequestChanges,
};

/// The URL that answered in place of the one that was asked for, as redirects led there: an extension of a response.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredBy(pub(crate) Uri);

/// A handler with a request for it.
pub(crate) trait Origin: Send + 'static {
    type Body: HandlerBody;
    type Error: Send + 'static;

    /// Waits until the handler can be called.
    fn ready(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Calls the handler, once it is ready, with the request and these changes to it.
    fn call(
        self,
        changes: RequestChanges,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;

    /// The status of the response that the framework makes of an error, if it makes one.
    fn status_of(error: &Self::Error) -> Option<StatusCode>;

    /// Whether there is a runtime on which this thread can spawn tasks.
    fn has_tasks() -> bool;

    /// Runs a future as a task of its own; without a runtime, gives it back.
    fn spawn(task: BoxFuture<()>) -> CopyDriver;
}
