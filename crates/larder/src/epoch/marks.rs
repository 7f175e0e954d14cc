//! What was marked stale, and when: soft invalidations.
//!
//! A mark of a scope is a change of another scope that is made from it ([`ScopeHash::mark`]): it has its slots, its place
//! in the outbox and its records in the log like any other, and whatever is true of these is true of marks. What is kept
//! here is what a change has no need of. Whether there was any mark at all, so that nothing more is looked at where there
//! was none; and the times of the last ones, for old values are served for so long after a mark, and no longer.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::{
    clock::Moment,
    scope::{self, ScopeHash},
    sync::{
        AtomicU64, Ordering,
        plain::{Mutex, lock},
    },
};

/// The times of so many marks are remembered. What was marked earlier counts as marked long ago.
const CAPACITY: usize = 1 << 12;

/// The marks of one table of slots.
pub(super) struct Marks {
    /// The number of the last mark; zero before the first one.
    last: AtomicU64,
    times: Mutex<VecDeque<Mark>>,
}

#[derive(Clone, Copy)]
struct Mark {
    number: u64,
    /// What was marked, as a mark.
    scope: ScopeHash,
    at: Moment,
}

/// When an entry was marked stale: none if that is too long ago to be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marked(pub(crate) Option<Moment>);

/// What the one rule says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing that covers it was invalidated or marked.
    Valid,
    /// Something that covers it was marked stale: its `ttl` ended then.
    Marked(Marked),
    /// Something that covers it was invalidated.
    Invalidated,
}

/// From which marks on a search for the first one begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// Those with a higher number.
    Number(u64),
    /// Those at this time, or later.
    #[cfg_attr(not(any(feature = "shared", test)), expect(dead_code, reason = "for what processes share"))]
    Time(Moment),
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { last: AtomicU64::new(0), times: Mutex::default() }
    }

    /// Remembers those of these scopes that are marks: before their slots are raised, by the only applier.
    #[inline]
    pub(super) fn note(&self, scopes: &[ScopeHash], number: u64, now: impl FnOnce() -> Moment) {
        if scopes.iter().any(|scope| scope.is_mark()) {
            self.add(scopes, number, now());
        }
    }

    #[cold]
    fn add(&self, scopes: &[ScopeHash], number: u64, at: Moment) {
        let mut times = lock(&self.times);
        for &scope in scopes.iter().filter(|scope| scope.is_mark()) {
            if times.len() == CAPACITY {
                times.pop_front();
            }
            times.push_back(Mark { number, scope, at });
        }
        drop(times);
        self.last.store(number, Ordering::Release);
    }

    /// Whether there was no mark after `number`: then no slot has to be looked at. What a change with this number marked is
    /// seen by all who see the change.
    #[inline]
    pub(super) fn none_after(&self, number: u64) -> bool {
        self.last.load(Ordering::Acquire) <= number
    }

    /// When the first mark was made that covers an entry under these scopes, or everything. None if that is no longer known.
    pub(super) fn first(&self, scopes: &[ScopeHash], after: After) -> Option<Moment> {
        let mut sought: SmallVec<[ScopeHash; 8]> = scopes.iter().map(|scope| scope.mark()).collect();
        sought.push(ScopeHash::ALL.mark());
        if sought.len() > scope::FEW {
            sought.sort_unstable();
        }
        let times = lock(&self.times);
        let is_after = |mark: &&Mark| match after {
            After::Number(number) => mark.number > number,
            After::Time(moment) => mark.at >= moment,
        };
        // If all that are remembered come after, an earlier one may have been forgotten.
        if times.len() == CAPACITY && times.front().as_ref().is_some_and(is_after) {
            return None;
        }
        let covering = |mark: &&Mark| scope::contains(&sought, mark.scope);
        times.iter().rev().take_while(is_after).filter(covering).last().map(|mark| mark.at)
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{clock::Clock, scope::Scope};

    #[test]
    fn the_first_mark_after_a_point_is_the_one_that_counts() {
        let (marks, start) = (Marks::new(), Clock::default().now());
        let at = |seconds: u64| start.after(Duration::from_secs(seconds));
        let [one, other] = ["one", "other"].map(|key| Scope::key(key).hash());
        assert!(marks.none_after(0));
        for (number, scope) in [(1, one), (3, other), (5, one), (7, ScopeHash::ALL)] {
            marks.note(&[scope, scope.mark()], number, || at(number));
        }
        assert!(!marks.none_after(6) && marks.none_after(7));
        assert_eq!(marks.first(&[one], After::Number(0)), Some(at(1)));
        assert_eq!(marks.first(&[one], After::Number(1)), Some(at(5)));
        assert_eq!(marks.first(&[one], After::Time(at(4))), Some(at(5)));
        assert_eq!(marks.first(&[other], After::Number(3)), Some(at(7)), "everything was marked");
        assert_eq!(marks.first(&[one], After::Number(7)), None);
        let many: Vec<_> = (0..100).map(|n| Scope::key(format!("{n}")).hash()).chain([other]).collect();
        assert_eq!(marks.first(&many, After::Number(0)), Some(at(3)));
    }

    #[test]
    fn what_is_forgotten_was_long_ago() {
        let (marks, now) = (Marks::new(), Clock::default().now());
        let key = Scope::key("k").hash();
        marks.note(&[key.mark()], 1, || now);
        for number in 2..=CAPACITY as u64 + 1 {
            marks.note(&[Scope::key(format!("{number}")).hash().mark()], number, || now);
        }
        assert_eq!(marks.first(&[key], After::Number(0)), None);
        assert!(!marks.none_after(0));
    }
}
