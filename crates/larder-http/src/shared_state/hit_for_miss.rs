//! What was not to be shared lately.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::date::Millis;

/// So many keys are remembered, each in the one place that its hash gives it.
const PLACES: usize = 4096;

/// For so long, in seconds, a key that was not to be shared is asked for by everybody alone.
const REMEMBERED: u64 = 10;

/// Keys whose responses were not to be shared: to wait for the next one would be for nothing.
///
/// A place holds 32 bits of a hash and the second at which it is forgotten. One that is lost, or taken for
/// another, costs a wait or a second computation, never a wrong response.
pub(super) struct Passes {
    places: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Passes {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { places, hasher: RandomState::new() }
    }
}

impl Passes {
    /// Remembers what became of the response to somebody with or without credentials.
    pub(super) fn note(&self, key: &str, credentials: bool, passed: bool, now: Millis) {
        let (place, tag) = self.place(key, credentials);
        if passed {
            let until = (now / 1000 + REMEMBERED) & u64::from(u32::MAX);
            place.store(tag | until, Ordering::Relaxed);
        } else if place.load(Ordering::Relaxed) & TAG == tag {
            place.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn passed_lately(&self, key: &str, credentials: bool, now: Millis) -> bool {
        let (place, tag) = self.place(key, credentials);
        let noted = place.load(Ordering::Relaxed);
        noted & TAG == tag && (now / 1000) & u64::from(u32::MAX) < noted & u64::from(u32::MAX)
    }

    fn place(&self, key: &str, credentials: bool) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one((key, credentials));
        #[expect(clippy::cast_possible_truncation, reason = "the low bits choose the place")]
        let place = &self.places[hash as usize % PLACES];
        (place, hash & TAG)
    }
}

const TAG: u64 = 0xffff_ffff_0000_0000;

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_remembered_for_a_while_and_for_its_kind_of_request() {
        let passes = Passes::default();
        let now = 1_000_000_000_000;
        passes.note("key", true, true, now);
        assert!(passes.passed_lately("key", true, now));
        assert!(!passes.passed_lately("key", false, now));
        assert!(!passes.passed_lately("other", true, now));
        assert!(!passes.passed_lately("key", true, now + 10_000));
        passes.note("key", true, false, now);
        assert!(!passes.passed_lately("key", true, now));
    }
}
