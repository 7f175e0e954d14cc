//! What the test has ordered.

use super::fault::{Direction, Fault};

/// The whole of it, so that a task that looks late misses nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    ways: [Way; 2],
    pub(super) refuse: bool,
    /// Links up to this one are to be cut. Links are counted from 1.
    pub(super) cut_through: u64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    pub(super) fault: Fault,
    /// How often the fault was set.
    pub(super) version: u64,
    /// Links up to this one are to be closed on this way.
    pub(super) closed_through: u64,
}

impl Rules {
    pub(super) fn way(&self, way: Direction) -> Way {
        self.ways[way as usize]
    }

    pub(super) fn way_mut(&mut self, way: Direction) -> &mut Way {
        &mut self.ways[way as usize]
    }
}

impl Way {
    pub(super) fn set(&mut self, fault: Fault) {
        self.fault = fault;
        self.version += 1;
    }
}
