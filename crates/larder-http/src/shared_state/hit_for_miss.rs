//! Hit-for-miss: a marker for keys whose last response could not be shared, so that requests for them are not coalesced
//! in vain.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::date::Millis;

/// Number of markers. The hash of a key decides which one is its.
const MARKERS: usize = 4096;

/// The markers. A marker holds 32 bits of a key's hash, and the second at which it expires. One that is lost, or that
/// matches another key, costs a wait or a call of the handler, never a wrong response.
pub(crate) struct HitForMiss {
    markers: Box<[AtomicU64]>,
    hasher: RandomState,
    /// The lifetime of a marker in seconds.
    lifetime: u64,
}

impl HitForMiss {
    pub(crate) fn with_lifetime(seconds: u64) -> Self {
        let markers = std::iter::repeat_with(AtomicU64::default).take(MARKERS).collect();
        Self { markers, hasher: RandomState::new(), lifetime: seconds }
    }

    /// Sets or removes the marker of a key, for requests that possibly identify their clients or for the others.
    pub(crate) fn set(&self, key: &str, identifying: bool, is_marked: bool, now: Millis) {
        let (marker, tag) = self.marker(key, identifying);
        if is_marked {
            let until = (now / 1000 + self.lifetime) & u64::from(u32::MAX);
            marker.store(tag | until, Ordering::Relaxed);
        } else if marker.load(Ordering::Relaxed) & TAG == tag {
            marker.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_marked(&self, key: &str, identifying: bool, now: Millis) -> bool {
        let (marker, tag) = self.marker(key, identifying);
        let set = marker.load(Ordering::Relaxed);
        set & TAG == tag && (now / 1000) & u64::from(u32::MAX) < set & u64::from(u32::MAX)
    }

    fn marker(&self, key: &str, identifying: bool) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one((key, identifying));
        #[expect(clippy::cast_possible_truncation, reason = "the low bits choose the marker")]
        let marker = &self.markers[hash as usize % MARKERS];
        (marker, hash & TAG)
    }
}

const TAG: u64 = 0xffff_ffff_0000_0000;

impl fmt::Debug for HitForMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HitForMiss").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_expires_and_is_for_its_kind_of_request() {
        let markers = HitForMiss::with_lifetime(10);
        let now = 1_000_000_000_000;
        markers.set("key", true, true, now);
        assert!(markers.is_marked("key", true, now));
        assert!(!markers.is_marked("key", false, now));
        assert!(!markers.is_marked("other", true, now));
        assert!(!markers.is_marked("key", true, now + 10_000));
        markers.set("key", true, false, now);
        assert!(!markers.is_marked("key", true, now));
    }
}
