//! A value, and what it has heard of.

use super::scope::Scopes;

/// Ghost: a set of invalidations, a bit for each in the order of their calls.
pub(crate) type Mask = u8;

/// A value with its stamps, wherever it lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Value {
    /// The scopes recorded with it.
    pub(crate) scopes: Scopes,
    /// Local order, in memory only.
    pub(crate) stamp: u8,
    /// Local order when it began, or was inserted or judged: it does not move. Zero where nothing is inserted.
    pub(crate) born: u8,
    /// Log order; 0 for an insert that lies in memory.
    pub(crate) epoch: u8,
    /// Ghost: it was inserted, and is not in the database yet.
    pub(crate) inserted: bool,
    /// Ghost: the invalidations called before the computation began, its sources' included.
    pub(crate) after: Mask,
}
