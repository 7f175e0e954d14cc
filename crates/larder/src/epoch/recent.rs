//! The last changes of scopes, in their order: for entries that more scopes cover than have changed.

use super::zeroed::zeroed;
use crate::{
    scope::{self, ScopeHash},
    sync::{AtomicU64, Ordering},
};

/// How many scopes of the last changes are remembered: as many as can cover an entry.
pub(super) const CAPACITY: usize = if cfg!(larder_loom) { 2 } else { 1 << 12 };

/// A place that is being written to.
const UNFINISHED: u64 = u64::MAX;

/// A ring of the scopes that changed last. One writer, who writes before the number of a change is published; readers
/// take no lock, and give up where the writer overtakes them.
pub(super) struct Recent {
    /// The number of the change that each place is of.
    numbers: Box<[AtomicU64]>,
    /// The scope in each place.
    scopes: Box<[AtomicU64]>,
    /// How many scopes were ever written, and [`CAPACITY`] more: as if there had been so many changes before the first one,
    /// with the number zero. They end every look that finds nothing else, and are overtaken first.
    written: AtomicU64,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { numbers: zeroed(CAPACITY), scopes: zeroed(CAPACITY), written: AtomicU64::new(CAPACITY as u64) }
    }

    /// Remembers a change of these scopes, by its only applier. Of more than there is room for, so many are written
    /// that nothing older is left: then no reader takes them for all there was.
    pub(super) fn add(&self, scopes: &[ScopeHash], number: u64) {
        let written = self.written.load(Ordering::Relaxed);
        let mut next = written;
        for scope in scopes.iter().take(CAPACITY) {
            let place = place(next);
            // `Release` on the scope: a reader who sees it sees that the number is no longer the old one.
            self.numbers[place].store(UNFINISHED, Ordering::Relaxed);
            self.scopes[place].store(scope.get(), Ordering::Release);
            self.numbers[place].store(number, Ordering::Release);
            next += 1;
        }
        self.written.store(next, Ordering::Release);
    }

    /// Whether none of `scopes`, a set, nor everything, changed after `number`, as far as `most` steps back tell: none
    /// if they do not. Called after the counter was loaded, as a look at the slots is.
    ///
    /// A place that was overtaken has a number above that of every change that the counter covers. The places before
    /// it were overtaken too, so that none of them ends the look as one that is old enough.
    pub(super) fn unchanged(&self, scopes: &[ScopeHash], number: u64, most: usize) -> Option<bool> {
        let written = self.written.load(Ordering::Acquire);
        for back in 1..=most.min(CAPACITY) as u64 {
            let place = place(written - back);
            let of = self.numbers[place].load(Ordering::Acquire);
            let changed = ScopeHash::from_number(self.scopes[place].load(Ordering::Acquire));
            if of == UNFINISHED || self.numbers[place].load(Ordering::Relaxed) != of {
                return None;
            }
            if of <= number {
                return Some(true);
            }
            if changed == ScopeHash::ALL || scope::contains(scopes, changed) {
                return Some(false);
            }
        }
        None
    }
}

/// Truncation is fine: it is the low bits that choose the place.
fn place(index: u64) -> usize {
    index as usize % CAPACITY
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = u64>) -> Vec<ScopeHash> {
        numbers.into_iter().map(ScopeHash::from_number).collect()
    }

    #[test]
    fn what_is_remembered_is_told_exactly() {
        let recent = Recent::new();
        let entry = set(100..200);
        assert_eq!(recent.unchanged(&entry, 0, 64), Some(true), "nothing has changed");
        recent.add(&set([1, 2, 3]), 1);
        recent.add(&set([150]), 2);
        recent.add(&set([4]), 3);
        assert_eq!(recent.unchanged(&entry, 0, 64), Some(false));
        assert_eq!(recent.unchanged(&entry, 1, 64), Some(false));
        assert_eq!(recent.unchanged(&entry, 2, 64), Some(true));
        assert_eq!(recent.unchanged(&entry, 0, 1), None, "one step does not tell");
        assert_eq!(recent.unchanged(&set(200..300), 0, 64), Some(true));
        recent.add(&[ScopeHash::ALL], 4);
        assert_eq!(recent.unchanged(&set(200..300), 3, 64), Some(false));
    }

    #[test]
    fn what_is_forgotten_is_not_told() {
        let recent = Recent::new();
        let entry = set(1_000_000..1_000_100);
        recent.add(&set([1_000_050]), 1);
        for number in 2..2 + CAPACITY as u64 {
            recent.add(&set([number]), number);
        }
        assert_eq!(recent.unchanged(&entry, 0, CAPACITY), None);
        assert_eq!(recent.unchanged(&entry, 2, CAPACITY), Some(true));
        // A change of more scopes than there is room for hides those that were left out.
        recent.add(&set(0..CAPACITY as u64 * 3), 5_000);
        assert_eq!(recent.unchanged(&entry, 4_999, CAPACITY), None);
        assert_eq!(recent.unchanged(&entry, 5_000, CAPACITY), Some(true));
    }
}
