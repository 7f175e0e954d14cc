//! A change, and who made it.

use crate::history::log::Change;

/// A change, and who made it.
pub(super) struct Placed {
    pub(super) process: usize,
    pub(super) change: Change,
}
