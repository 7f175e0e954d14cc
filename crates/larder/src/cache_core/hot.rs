//! Which keys are hit most: from one hit in 64, while they are asked for.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use foldhash::fast::RandomState;

use crate::{
    entry::Stored,
    sync::plain::{Mutex, lock},
};

/// So many keys are counted at once. A new one takes the place of the least, and its count: so no key that has more than
/// one sample in as many is missed (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in
/// Data Streams, 2005).
const KEYS: usize = 128;

/// The samples since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Hot {
    /// How many want to know.
    wanted: AtomicUsize,
    samples: Mutex<HashMap<Arc<str>, u64, RandomState>>,
}

impl Hot {
    pub(super) fn want(&self, wanted: bool) {
        match wanted {
            true => self.wanted.fetch_add(1, Ordering::Relaxed),
            false => self.wanted.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// One hit was looked at.
    pub(super) fn note(&self, stored: &Stored) {
        if self.wanted.load(Ordering::Relaxed) > 0 && !stored.is_local() {
            self.count(&stored.key);
        }
    }

    #[cold]
    fn count(&self, key: &str) {
        let mut samples = lock(&self.samples);
        if let Some(count) = samples.get_mut(key) {
            *count += 1;
            return;
        }
        let mut before = 0;
        if samples.len() == KEYS {
            let least = samples.iter().min_by_key(|(_, count)| **count);
            if let Some((least, count)) = least.map(|(key, count)| (key.clone(), *count)) {
                samples.remove(&least);
                before = count;
            }
        }
        samples.insert(key.into(), before + 1);
    }

    /// The keys that were hit most since this was last asked, with the number of samples.
    pub(super) fn take(&self) -> Vec<(Arc<str>, u64)> {
        let mut hot: Vec<_> = std::mem::take(&mut *lock(&self.samples)).into_iter().collect();
        hot.sort_by_key(|(_, count)| Reverse(*count));
        hot
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_hit_often_is_found_among_many_that_are_not() {
        let hot = Hot::default();
        for round in 0..10_000 {
            hot.count(&format!("seldom:{round}"));
            if round % 20 == 0 {
                hot.count("often");
            }
        }
        let found = hot.take();
        assert_eq!((&*found[0].0, found.len()), ("often", KEYS));
        assert!(found[0].1 >= 500, "{found:?}");
        assert!(hot.take().is_empty());
    }
}
