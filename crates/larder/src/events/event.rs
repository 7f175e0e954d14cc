//! What an event is.

use std::fmt;

use crate::{
    error::{Kind, Result},
    value::Value,
};

/// Something that happened, and that others want to know of.
///
/// ```
/// use larder::events::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct OrderPaid {
///     order: u64,
/// }
///
/// impl Event for OrderPaid {
///     const NAME: &str = "order_paid";
/// }
/// ```
pub trait Event: Value {
    /// What all services call it that publish it or hear of it: 1 to 100 bytes without braces, `*` and control characters.
    /// A type whose fields change in a way that old services cannot read is another event, with another name.
    const NAME: &'static str;
}

/// The ID of a published event. On Redis it is that of the record in the stream: later ones are higher.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId(pub(super) String);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadEvent<E> {
    /// The ID of the letter.
    pub id: EventId,
    /// None if it cannot be read as this type.
    pub event: Option<E>,
    /// What the last attempt said.
    pub reason: String,
}

/// Names are parts of names in Redis.
pub(super) fn check(name: &str, what: &str) -> Result<()> {
    let is_bad = |symbol: char| matches!(symbol, '{' | '}' | '*') || symbol.is_control();
    if (1..=100).contains(&name.len()) && !name.contains(is_bad) {
        return Ok(());
    }
    let text = format!(
        "{what} is called {name:?}: 1 to 100 bytes without braces, `*` and control characters are allowed"
    );
    Err(Kind::configuration(text).into())
}
