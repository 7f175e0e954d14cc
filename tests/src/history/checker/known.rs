//! Changes of one scope, by when they were known.

use super::placed::Placed;
use super::tree::Demand;
use crate::history::clock::Moment;

/// Changes of one scope, by when they were known: a moment, or an epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Vec<Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    known: u64,
    called: Moment,
    change: usize,
    /// Among this and all before it: the last call, and its change.
    last: (Moment, usize),
}

impl Known {
    pub(super) fn add(&mut self, known: u64, called: Moment, change: usize) {
        self.0.push(Entry { known, called, change, last: (called, change) });
    }

    /// Puts them in order.
    pub(super) fn settle(&mut self) {
        self.0.sort_unstable_by_key(|entry| entry.known);
        let mut last = (0, 0);
        for entry in &mut self.0 {
            last = last.max(entry.last);
            entry.last = last;
        }
    }

    /// A change that was known before (`known` excluded), and called after what is demanded to be newer.
    pub(super) fn newest(&self, known: u64, changes: &[Placed], demand: &Demand) -> Option<usize> {
        let before = &self.0[..self.0.partition_point(|entry| entry.known < known)];
        let (called, change) = before.last()?.last;
        if called <= demand.since {
            return None;
        }
        let own = |change: usize| changes[change].change.makes == Some(demand.value);
        if !own(change) {
            return Some(change);
        }
        // The change that put the value in does not cover it; others may have come since. Rare.
        let covers = |entry: &&Entry| entry.called > demand.since && !own(entry.change);
        before.iter().rev().find(covers).map(|entry| entry.change)
    }
}
