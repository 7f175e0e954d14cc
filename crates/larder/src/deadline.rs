//! Errors that say that a call took too long.

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
