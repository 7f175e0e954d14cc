//! How much one statement reads or writes, each of which has the whole of the deadline.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Entries of one statement at most.
pub(crate) const ENTRIES: usize = 256;

/// Bytes of one statement that writes, unless one entry has more.
const BYTES: usize = 1 << 20;

/// What is shrunk has so many parts of it left.
const SHRUNK: usize = 4;

/// What took no longer than this part of the deadline may grow.
const QUICK: u32 = 4;

/// What goes into one statement each, in order.
pub(crate) fn by_bytes<T>(items: &[T], size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut pieces, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, item) in items.iter().enumerate() {
        let size = size(item);
        if at > start && bytes + size > BYTES {
            pieces.push(&items[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    pieces.extend(Some(&items[start..]).filter(|last| !last.is_empty()));
    pieces
}

/// How many entries one statement reads. How large they are is known afterwards: there are fewer of them after one that
/// came to no end in time.
#[derive(Debug)]
pub(crate) struct ReadSize(AtomicUsize);

impl Default for ReadSize {
    fn default() -> Self {
        Self(AtomicUsize::new(ENTRIES))
    }
}

impl ReadSize {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// So many took too long.
    pub(crate) fn shrink(&self, entries: usize) {
        self.0.fetch_min((entries / SHRUNK).max(1), Relaxed);
    }

    /// So many were read in this time of the deadline.
    pub(crate) fn took(&self, entries: usize, took: Duration, deadline: Duration) {
        if entries >= self.get() && took < deadline / QUICK {
            self.0.fetch_max((entries * 2).min(ENTRIES), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_split_by_bytes() {
        let split = |sizes: &[usize]| -> Vec<usize> {
            by_bytes(sizes, |size| *size).iter().map(|piece| piece.len()).collect()
        };
        assert_eq!(split(&[]), [0; 0]);
        assert_eq!(split(&[1; 256]), [256]);
        assert_eq!(split(&[BYTES / 2; 5]), [2, 2, 1]);
        assert_eq!(split(&[BYTES * 2, 1, BYTES * 2, BYTES]), [1, 1, 1, 1]);
    }

    #[test]
    fn what_is_read_shrinks_after_a_timeout_and_grows_while_it_is_quick() {
        let (size, deadline) = (ReadSize::default(), Duration::from_secs(4));
        for expected in [64, 16, 4, 1, 1] {
            size.shrink(size.get());
            assert_eq!(size.get(), expected);
        }
        size.took(1, Duration::from_secs(2), deadline);
        assert_eq!(size.get(), 1, "it was not quick");
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 256] {
            size.took(size.get(), Duration::from_millis(1), deadline);
            assert_eq!(size.get(), expected);
        }
        size.shrink(256);
        size.took(3, Duration::ZERO, deadline);
        assert_eq!(size.get(), 64, "that says little of more");
    }
}
