//! Calls that took too long: errors that say so, and calls that have a default in the place of an error.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    entry::Entry,
    error::TimedOut,
    error_sharing::{Given, Sharing},
    value::{AnyValue, Transport},
};

/// Shares and keeps errors as `S` does, and makes one for a call that is not answered by its deadline.
#[derive(Debug, Clone, Copy)]
pub struct Within<S>(pub(crate) S);

impl<E, S> Sharing<E> for Within<S>
where
    E: From<TimedOut>,
    S: Sharing<E>,
{
    fn give(self, error: &E) -> Option<Given> {
        self.0.give(error)
    }

    fn take(self, given: &Given) -> Option<E> {
        self.0.take(given)
    }

    fn keep(self, error: &E) -> Option<Box<AnyValue>> {
        self.0.keep(error)
    }

    fn kept(self, entry: &Entry) -> Option<E> {
        self.0.kept(entry)
    }

    fn kept_transport(self) -> Option<&'static Transport> {
        self.0.kept_transport()
    }

    fn timed_out(self) -> Option<fn(TimedOut) -> E> {
        Some(E::from)
    }
}

/// What becomes of a call that has a default: its error, or that it took too long, for which no error has to be made.
#[derive(Debug)]
pub enum OrLate<E> {
    /// The computation failed.
    Error(E),
    /// It took too long.
    Late,
}

/// Shares and keeps errors as `S` does, and makes none for a call that is not answered by its deadline.
#[derive(Debug, Clone, Copy)]
pub struct WithDefault<S>(pub(crate) S);

impl<S> WithDefault<S> {
    fn share<E, R>(self, error: &OrLate<E>, share: impl FnOnce(S, &E) -> Option<R>) -> Option<R> {
        match error {
            OrLate::Error(error) => share(self.0, error),
            OrLate::Late => None,
        }
    }
}

impl<E, S: Sharing<E>> Sharing<OrLate<E>> for WithDefault<S> {
    fn give(self, error: &OrLate<E>) -> Option<Given> {
        self.share(error, S::give)
    }

    fn take(self, given: &Given) -> Option<OrLate<E>> {
        self.0.take(given).map(OrLate::Error)
    }

    fn keep(self, error: &OrLate<E>) -> Option<Box<AnyValue>> {
        self.share(error, S::keep)
    }

    fn kept(self, entry: &Entry) -> Option<OrLate<E>> {
        self.0.kept(entry).map(OrLate::Error)
    }

    fn kept_transport(self) -> Option<&'static Transport> {
        self.0.kept_transport()
    }

    fn timed_out(self) -> Option<fn(TimedOut) -> OrLate<E>> {
        Some(|_| OrLate::Late)
    }
}

pin_project! {
    /// A body whose call has a default for when it is late.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MayBeLate<F> {
        #[pin]
        pub(crate) body: F,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for MayBeLate<F> {
    type Output = Result<T, OrLate<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(context).map_err(OrLate::Error)
    }
}
