//! Which computations wait for which: so that two computations that need each other both end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

/// Names a computation, in all caches of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InFlightId(u64);

impl InFlightId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The computations that each computation's computation is waiting for at the moment. One for all caches: a cycle
/// may run through several.
static WAITS: Mutex<BTreeMap<InFlightId, SmallVec<[InFlightId; 2]>>> = Mutex::new(BTreeMap::new());

fn waits() -> MutexGuard<'static, BTreeMap<InFlightId, SmallVec<[InFlightId; 2]>>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait of some computations for another one, on record while this lives.
pub(crate) struct Wait {
    waiting: SmallVec<[InFlightId; 2]>,
    awaited: InFlightId,
}

impl Wait {
    /// Puts on record that the computations of `waiting` (a caller's own computation, and those it is nested
    /// in) wait for `awaited`. None if that would close a cycle: nothing in it would ever end.
    pub(crate) fn begin(waiting: SmallVec<[InFlightId; 2]>, awaited: InFlightId) -> Option<Self> {
        if waiting.is_empty() {
            return Some(Self { waiting, awaited });
        }
        let mut waits = waits();
        let mut ahead: SmallVec<[InFlightId; 8]> = SmallVec::from_slice(&[awaited]);
        let mut seen = BTreeSet::new();
        while let Some(in_flight) = ahead.pop() {
            if waiting.contains(&in_flight) {
                return None;
            }
            if seen.insert(in_flight) {
                ahead.extend(waits.get(&in_flight).into_iter().flatten().copied());
            }
        }
        for &in_flight in &waiting {
            waits.entry(in_flight).or_default().push(awaited);
        }
        Some(Self { waiting, awaited })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut waits = waits();
        for in_flight in &self.waiting {
            let Some(awaited) = waits.get_mut(in_flight) else { continue };
            if let Some(index) = awaited.iter().position(|&in_flight| in_flight == self.awaited) {
                awaited.swap_remove(index);
            }
            if awaited.is_empty() {
                waits.remove(in_flight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn a_wait_that_would_close_a_cycle_is_refused() {
        let [a, b, c] = [(); 3].map(|()| InFlightId::next());
        let ab = Wait::begin(smallvec![a], b).unwrap();
        let _bc = Wait::begin(smallvec![b], c).unwrap();
        assert!(Wait::begin(smallvec![c], a).is_none());
        assert!(Wait::begin(smallvec![a], a).is_none());
        drop(ab);
        assert!(Wait::begin(smallvec![c], a).is_some());
    }

    #[test]
    fn an_outer_computation_waits_for_what_the_inner_one_waits_for() {
        let [outer, inner, other] = [(); 3].map(|()| InFlightId::next());
        let _wait = Wait::begin(smallvec![inner, outer], other).unwrap();
        assert!(Wait::begin(smallvec![other], outer).is_none());
    }

    #[test]
    fn nothing_is_left_on_record() {
        let [a, b] = [(); 2].map(|()| InFlightId::next());
        drop((Wait::begin(smallvec![a], b), Wait::begin(smallvec![a], b)));
        assert!(!waits().contains_key(&a));
    }
}
