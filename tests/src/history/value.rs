//! What is cached: a value that tells of its own making.

use serde::{Deserialize, Serialize};

use super::clock::Moment;

/// Which value: no two of a run have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueId(pub u64);

/// A value, with all that the checker has to know of its making.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Which.
    pub id: ValueId,
    /// The number of its key.
    pub key: usize,
    /// Inside the computation, before anything was read that it is made from. For one that is put in by
    /// hand: before it was read at the source.
    pub began: Moment,
    /// The version of the key in the source, for a value that is read there.
    pub version: Option<u64>,
    /// Put in by [`insert`](larder::CacheExt::insert), which counts it as read at the call.
    pub inserted: bool,
    /// What was read through the cache for it.
    pub parts: Vec<Part>,
}

/// What a computation read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The number of the key.
    pub key: usize,
    /// What was under it.
    pub found: Option<Made>,
}

impl Made {
    /// Calls `visit` with this value and all that are in it.
    pub fn each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        self.parts.iter().filter_map(|part| part.found.as_ref()).for_each(|found| found.each(visit));
    }
}
