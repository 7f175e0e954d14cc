//! A row of the table: a type, its values, and what is expected of them.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use larder::TieredCache;
use serde::Serialize;

use crate::{codecs, outcome::Outcome, same::Traits};

/// How long values live: longer than any test.
pub const TTL: Duration = Duration::from_secs(3_600);

/// How a value is stored, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// By a function with `#[cached]` that returns the concrete type.
    Cached,
    /// By the typed verbs, `insert` and `get`.
    Insert,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cached, Self::Insert];

    /// Its name, as a part of a key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Insert => "insert",
        }
    }
}

/// The value was computed: nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent;

/// What a reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A value equal to a fresh one.
    Same,
    /// Another one, and what it looks like.
    Other(String),
    /// None.
    Nothing,
}

impl Found {
    pub(crate) fn of<T: Serialize>(value: &T, found: Option<&T>, traits: &Traits<T>) -> Self {
        match found {
            None => Self::Nothing,
            Some(found) if traits.is_same(value, found) => Self::Same,
            Some(found) => Self::Other(match traits.text {
                Some(text) => text(found),
                None => serde_json::to_string(found).unwrap_or_else(|why| why.to_string()),
            }),
        }
    }
}

/// What is expected under each codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whether it is shared, through `#[cached]`.
    pub(crate) shared: [bool; codecs::COUNT],
    /// Why the typed verbs, which know no `PartialEq`, cannot see that another value comes back.
    pub(crate) unseen: Option<&'static str>,
    /// What `Debug` shows of a value that is the same, so that it is compared by `PartialEq` alone.
    pub(crate) only_shown: Option<&'static str>,
}

/// Every codec brings back an equal value.
pub const SAME: Expected = Expected { shared: [true; codecs::COUNT], unseen: None, only_shown: None };

/// The value is never shared.
pub const REFUSED: Expected = Expected { shared: [false; codecs::COUNT], unseen: None, only_shown: None };

impl Expected {
    /// Shared, or not, in MessagePack, in JSON, and in the codecs whose bytes do not say what they are.
    #[must_use]
    pub const fn shared([names, text, compact]: [bool; 3]) -> Self {
        Self { shared: [names, text, compact, compact], unseen: None, only_shown: None }
    }

    /// Only a comparison with the value itself shows that something is lost.
    #[must_use]
    pub const fn unseen(self, why: &'static str) -> Self {
        Self { unseen: Some(why), ..self }
    }

    /// Values that are compared by their `PartialEq` alone, since `Debug` shows this as well.
    #[must_use]
    pub const fn by_equality(self, shown: &'static str) -> Self {
        Self { only_shown: Some(shown), ..self }
    }

    /// In which codecs it is shared, through `#[cached]`: in the order of [`codecs::CODECS`].
    #[must_use]
    pub const fn in_codecs(&self) -> [bool; codecs::COUNT] {
        self.shared
    }

    /// What is expected of a codec and a route.
    #[must_use]
    pub fn of(&self, codec: usize, route: Route) -> Option<Outcome> {
        match (self.shared[codec], self.unseen, route) {
            (true, ..) => Some(Outcome::Same),
            (false, None, _) | (false, Some(_), Route::Cached) => Some(Outcome::Refused),
            (false, Some(_), _) => None,
        }
    }
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A type with values, whichever it is.
pub(crate) trait Case: Send + Sync {
    fn count(&self) -> usize;

    /// Stores a value. An error is what `insert` returns.
    fn store<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, larder::Result<()>>;

    /// Reads a value, and compares it with a fresh one.
    fn read<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, Found>;
}

/// Which value, where, and by which route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) value: usize,
    pub(crate) key: &'a str,
    pub(crate) route: Route,
}

/// A row of the table.
pub struct Row {
    /// What it is about.
    pub name: &'static str,
    /// The type's full name.
    pub type_name: &'static str,
    /// What is expected.
    pub expected: Expected,
    pub(crate) case: Box<dyn Case>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("name", &self.name).field("type", &self.type_name).finish_non_exhaustive()
    }
}

impl Row {
    /// A row of values that are made anew each time.
    #[must_use]
    pub(crate) fn new(
        name: &'static str,
        type_name: &'static str,
        expected: Expected,
        case: impl Case + 'static,
    ) -> Self {
        Self { name, type_name, expected, case: Box::new(case) }
    }

    /// How many values it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.case.count()
    }
}
