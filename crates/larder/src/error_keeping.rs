//! Errors that are kept for a time, in place of a value: chosen ones, such as "not found".
//!
//! One lies under the key of the value, as an entry of its own type, which no read of the value takes for one; so it is
//! covered by the same scopes, and goes by the one rule as every entry does.

use serde::{Deserialize, Serialize};

use crate::{
    entry::Entry,
    error::TimedOut,
    error_sharing::{Given, Sharing},
    value::{AnyValue, LocalValue, Transport, Value},
};

/// An error in an entry. In a message it is no error alone, but a struct of this name: a value of the same type is never
/// taken for one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename = "larder::KeptError")]
struct Kept<E> {
    error: E,
}

/// The struct of an error in an entry: its name, and its fields.
#[cfg(feature = "shared")]
pub(crate) const KEPT_ERROR: (&str, &[&str]) = ("larder::KeptError", &["error"]);

/// Shares errors as `S` does, and keeps those that `F` chooses.
#[derive(Debug, Clone, Copy)]
pub struct Keeping<S, F> {
    sharing: S,
    chosen: F,
    transport: Option<&'static Transport>,
}

impl<S, F> Keeping<S, F> {
    /// Where other processes are given values, they are given these errors too.
    pub(crate) fn shared<E>(sharing: S, chosen: F) -> Self
    where
        E: Value,
        F: Fn(&E) -> bool,
    {
        Self { sharing, chosen, transport: Kept::<E>::TRANSPORT }
    }

    /// Errors that stay in this process.
    pub(crate) fn local<E>(sharing: S, chosen: F) -> Self
    where
        E: LocalValue,
        F: Fn(&E) -> bool,
    {
        Self { sharing, chosen, transport: None }
    }
}

impl<E, S, F> Sharing<E> for Keeping<S, F>
where
    E: LocalValue,
    S: Sharing<E>,
    F: Fn(&E) -> bool + Copy + Send + Sync + 'static,
{
    fn give(self, error: &E) -> Option<Given> {
        self.sharing.give(error)
    }

    fn take(self, given: &Given) -> Option<E> {
        self.sharing.take(given)
    }

    fn keep(self, error: &E) -> Option<Box<AnyValue>> {
        (self.chosen)(error).then(|| Box::new(Kept { error: error.clone() }) as Box<AnyValue>)
    }

    fn kept(self, entry: &Entry) -> Option<E> {
        entry.value::<Kept<E>>().map(|kept| kept.error.clone())
    }

    fn kept_transport(self) -> Option<&'static Transport> {
        self.transport
    }

    fn timed_out(self) -> Option<fn(TimedOut) -> E> {
        self.sharing.timed_out()
    }
}
