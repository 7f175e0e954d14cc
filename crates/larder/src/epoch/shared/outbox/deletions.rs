//! Keys whose entries and counters are to be deleted on the server.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use foldhash::quality::RandomState;

/// How many bytes the keys that wait take at most. Further ones are not deleted.
const MOST_BYTES: usize = 16 << 20;

/// What a key takes besides its text: two pointers to it, and what the allocator adds.
const OVERHEAD: usize = 128;

/// Each key waits once, and is handed out once: a counter deleted twice may have been counted anew in between. To
/// delete entries frees memory, and is no part of the one rule.
#[derive(Default)]
pub(super) struct Deletions {
    queue: VecDeque<Arc<str>>,
    /// The same keys.
    waiting: HashSet<Arc<str>, RandomState>,
    bytes: usize,
}

impl Deletions {
    pub(super) fn add(&mut self, keys: impl IntoIterator<Item = Arc<str>>) {
        for key in keys {
            let bytes = key.len() + OVERHEAD;
            if self.bytes + bytes <= MOST_BYTES && self.waiting.insert(key.clone()) {
                self.bytes += bytes;
                self.queue.push_back(key);
            }
        }
    }

    /// The next keys, oldest first: as many as have `most` bytes of text, but one at least, if any waits.
    pub(super) fn take(&mut self, most: usize) -> Vec<Arc<str>> {
        let mut taken = Vec::new();
        let mut text = 0;
        while let Some(key) = self.queue.front() {
            text += key.len();
            if text > most && !taken.is_empty() {
                break;
            }
            let Some(key) = self.queue.pop_front() else { break };
            self.waiting.remove(&key);
            self.bytes -= key.len() + OVERHEAD;
            taken.push(key);
        }
        if self.queue.is_empty() {
            // What a long outage has made them is not needed any longer.
            *self = Self::default();
        }
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    fn keys(range: std::ops::Range<usize>) -> impl Iterator<Item = Arc<str>> {
        range.map(|n| Arc::from(format!("key:{n}")))
    }

    #[test]
    fn each_key_waits_once() {
        let mut deletions = Deletions::default();
        for _ in 0..1_000 {
            deletions.add(keys(0..3));
        }
        assert_eq!(deletions.take(usize::MAX).len(), 3);
        assert!(deletions.is_empty());
        assert_eq!(deletions.take(usize::MAX).len(), 0, "and is handed out once");
    }

    #[test]
    fn pieces_are_small_and_never_empty() {
        let mut deletions = Deletions::default();
        deletions.add(keys(0..10));
        deletions.add([Arc::from("x".repeat(10_000)), Arc::from("last")]);
        assert_eq!(deletions.take(25).len(), 5);
        assert_eq!(deletions.take(25).len(), 5);
        assert_eq!(deletions.take(25).len(), 1, "a key longer than a piece is one");
        assert_eq!(deletions.take(25).len(), 1);
    }

    #[test]
    fn no_more_wait_than_fit() {
        let mut deletions = Deletions::default();
        deletions.add(keys(0..1_000_000));
        assert!(deletions.bytes <= MOST_BYTES && deletions.queue.len() > 100_000);
        assert_eq!(deletions.queue.len(), deletions.waiting.len());
        deletions.add([Arc::from("x".repeat(MOST_BYTES))]);
        let left = deletions.take(usize::MAX).len();
        assert!(left < 125_000, "{left}");
        assert_eq!((deletions.bytes, deletions.queue.capacity()), (0, 0));
    }
}
