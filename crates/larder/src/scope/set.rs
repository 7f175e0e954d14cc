//! Sets of scopes: of a few, as most entries have, and of thousands, as those have that were made from long lists.

use std::ops::Deref;

use smallvec::SmallVec;

use super::hash::ScopeHash;

/// The most scopes that can cover one entry. A value with more is computed and returned, but not stored.
pub(crate) const MOST: usize = 4_096;

/// Up to so many scopes are looked at one by one; more are in order, so that one can be sought among them.
pub(crate) const FEW: usize = 16;

/// The scopes that cover something; [`ScopeHash::ALL`] goes without saying. More than [`FEW`] are in order, and each
/// is there once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet(SmallVec<[ScopeHash; 3]>);

impl Clone for ScopeSet {
    /// All at once: that of a `SmallVec` clones one after the other.
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl ScopeSet {
    /// Adds a scope. When all are added, the set is to be [settled](Self::settle).
    #[inline]
    pub(super) fn add(&mut self, scope: ScopeHash) {
        if self.0.len() >= FEW || !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// Puts a set that may be large in order, after scopes were added at its end.
    pub(super) fn settle(&mut self) {
        if self.0.len() > FEW && !self.0.is_sorted_by(|one, next| one < next) {
            self.0.sort_unstable();
            self.0.dedup();
        }
    }
}

impl Extend<ScopeHash> for ScopeSet {
    fn extend<I: IntoIterator<Item = ScopeHash>>(&mut self, scopes: I) {
        scopes.into_iter().for_each(|scope| self.add(scope));
        self.settle();
    }
}

/// As they come, if they are few: what reads scopes off the wire has to give them back as they were.
impl FromIterator<ScopeHash> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = ScopeHash>>(scopes: I) -> Self {
        let mut set = Self::default();
        // One by one: `SmallVec`'s own way costs more than that for a few.
        scopes.into_iter().for_each(|scope| set.0.push(scope));
        set.settle();
        set
    }
}

impl Deref for ScopeSet {
    type Target = [ScopeHash];

    fn deref(&self) -> &[ScopeHash] {
        &self.0
    }
}

/// Whether a scope is in a set.
pub(crate) fn contains(set: &[ScopeHash], scope: ScopeHash) -> bool {
    if set.len() > FEW { set.binary_search(&scope).is_ok() } else { set.contains(&scope) }
}

/// Scopes on their way into a set, one after the other: cheap for one, and for thousands. Bounded: of what is more
/// than can cover anything, so much is kept that it shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct CollectedScopes {
    scopes: Vec<ScopeHash>,
    /// How many there may be, some of them twice, before they are put in order.
    room: usize,
}

impl CollectedScopes {
    /// Adds a scope.
    pub(crate) fn add(&mut self, scope: ScopeHash) {
        if self.scopes.len() < FEW {
            if !self.scopes.contains(&scope) {
                self.scopes.push(scope);
            }
            return;
        }
        if self.scopes.last() == Some(&scope) {
            return;
        }
        self.scopes.push(scope);
        if self.scopes.len() > self.room.max(4 * FEW) {
            self.scopes.sort_unstable();
            self.scopes.dedup();
            self.scopes.truncate(MOST + 1);
            // Twice as many: each scope is put in order as often as there are doublings.
            self.room = 2 * self.scopes.len();
        }
    }

    /// What was collected, in any order, some of it perhaps twice.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ScopeHash> {
        self.scopes.iter().copied()
    }
}

impl Extend<ScopeHash> for CollectedScopes {
    fn extend<I: IntoIterator<Item = ScopeHash>>(&mut self, scopes: I) {
        scopes.into_iter().for_each(|scope| self.add(scope));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn hashes(numbers: &[u64]) -> impl Iterator<Item = ScopeHash> {
        numbers.iter().map(|number| ScopeHash(*number))
    }

    proptest! {
        #[test]
        fn a_set_has_each_scope_once(numbers in vec(0_u64..60, 0..80), more in vec(0_u64..60, 0..80)) {
            let mut set = ScopeSet::default();
            let mut collected = CollectedScopes::default();
            for numbers in [&numbers, &more] {
                set.extend(hashes(numbers));
                collected.extend(hashes(numbers));
            }
            let mut one_by_one = ScopeSet::default();
            hashes(&numbers).chain(hashes(&more)).for_each(|scope| one_by_one.extend([scope]));
            let mut from_collected = ScopeSet::default();
            from_collected.extend(collected.iter());
            let expected: BTreeSet<_> = hashes(&numbers).chain(hashes(&more)).collect();
            for set in [set, one_by_one, from_collected] {
                prop_assert_eq!(set.len(), expected.len());
                prop_assert_eq!(&set.iter().copied().collect::<BTreeSet<_>>(), &expected);
                prop_assert!((0..60).all(|n| contains(&set, ScopeHash(n)) == expected.contains(&ScopeHash(n))));
                prop_assert!(set.len() <= FEW || set.is_sorted());
            }
        }
    }

    #[test]
    fn what_is_too_much_shows_and_is_bounded() {
        let mut collected = CollectedScopes::default();
        for round in 0..3_u64 {
            collected.extend((0..100_000).map(|n| ScopeHash(n * 3 + round)));
        }
        assert!(collected.scopes.len() <= 2 * (MOST + 1));
        let mut set = ScopeSet::default();
        set.extend(collected.iter());
        assert!(set.len() > MOST);
    }
}
