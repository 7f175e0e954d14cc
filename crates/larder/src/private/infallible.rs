//! Functions that cannot fail, computed as those that can.
//!
//! No `async` blocks: their futures would hold those they await twice.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

pin_project! {
    /// A future that cannot fail, as one that could.
    pub(super) struct AsFallible<F> {
        #[pin]
        future: F,
    }
}

impl<F> AsFallible<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for AsFallible<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(context).map(Ok)
    }
}

pin_project! {
    /// The output of a future that could fail, and does not.
    pub(super) struct AsInfallible<F> {
        #[pin]
        future: F,
    }
}

impl<F> AsInfallible<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<R, F: Future<Output = Result<R, Infallible>>> Future for AsInfallible<F> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        self.project().future.poll(context).map(|Ok(output)| output)
    }
}
