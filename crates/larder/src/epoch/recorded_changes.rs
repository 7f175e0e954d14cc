//! Changes of another time than this process': in the order in which they were written down.

use super::slots::Slots;
use crate::scope::{FEW, ScopeHash};

/// When each scope last changed before this process began, as far as that was written down. Bounded: what had to be
/// forgotten makes an entry look stale.
pub(crate) struct PastChanges(Slots);

impl PastChanges {
    /// With room for so many scopes.
    pub(crate) fn new(slots: usize) -> Self {
        Self(Slots::new(slots))
    }

    /// These scopes changed at this place. Called while the segments are read, before the first lookup.
    pub(crate) fn add(&self, scopes: &[ScopeHash], place: u64) {
        self.0.raise(scopes, place);
    }

    /// Whether nothing among `scopes`, nor everything, was invalidated or marked stale behind this place.
    pub(crate) fn none_after(&self, scopes: &[ScopeHash], place: u64) -> bool {
        let mut marks = smallvec::SmallVec::<[ScopeHash; FEW]>::with_capacity(scopes.len() + 1);
        marks.extend(scopes.iter().chain([&ScopeHash::ALL]).map(|scope| scope.mark()));
        self.0.unchanged(scopes, place) && self.0.unchanged(&marks, place)
    }
}

impl std::fmt::Debug for PastChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PastChanges").finish_non_exhaustive()
    }
}
