//! One walk through a value: how far it goes, and what it notes.

use std::{
    cell::Cell,
    fmt::{self, Display},
};

use serde::ser;

use super::{names::Written, path::Paths};

/// One walk through a value.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) human_readable: bool,
    /// Lists that are known to be lists differ if their order does. (A set serializes like a list.)
    pub(super) ordered: bool,
    levels: Cell<usize>,
    least_levels: Cell<usize>,
    /// How many bytes the value may still have, of those that every codec writes.
    bytes: Cell<usize>,
    end: Cell<Option<WalkEnd>>,
    /// The names of fields that were met, where they are wanted.
    pub(super) written: Option<Written>,
    /// Every part of the value with its path, where they are wanted.
    pub(super) paths: Option<Paths>,
}

#[derive(Debug, Clone, Copy)]
enum WalkEnd {
    TooDeep,
    TooLarge,
}

/// Why there is no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoDigest {
    TooDeep,
    TooLarge,
    /// The value does not serialize.
    Refused(Refused),
}

impl Walk {
    /// A walk that goes no deeper than `deepest`, and ends when the value is surely larger than `largest` bytes.
    pub(super) fn new(human_readable: bool, deepest: usize, largest: usize) -> Self {
        Self {
            human_readable,
            ordered: true,
            levels: Cell::new(deepest),
            least_levels: Cell::new(deepest),
            bytes: Cell::new(largest),
            end: Cell::new(None),
            written: None,
            paths: None,
        }
    }

    /// One whose digest is the same in every process.
    pub(super) fn for_fingerprint(human_readable: bool, deepest: usize) -> Self {
        Self { ordered: false, ..Self::new(human_readable, deepest, usize::MAX) }
    }

    /// How many levels are left where the value is deepest.
    pub(super) fn least_levels(&self) -> usize {
        self.least_levels.get()
    }

    /// Why it has ended with this error.
    pub(super) fn no_digest(&self, refused: Refused) -> NoDigest {
        match self.end.get() {
            Some(WalkEnd::TooDeep) => NoDigest::TooDeep,
            Some(WalkEnd::TooLarge) => NoDigest::TooLarge,
            None => NoDigest::Refused(refused),
        }
    }

    #[inline]
    pub(super) fn deeper(&self) -> Result<(), Refused> {
        match self.levels.get().checked_sub(1) {
            Some(levels) => {
                self.levels.set(levels);
                self.least_levels.set(self.least_levels.get().min(levels));
                Ok(())
            }
            None => self.stop(WalkEnd::TooDeep),
        }
    }

    #[cold]
    fn stop<T>(&self, end: WalkEnd) -> Result<T, Refused> {
        self.end.set(Some(end));
        Err(Refused(String::new()))
    }

    #[inline]
    pub(super) fn back(&self) {
        self.levels.set(self.levels.get() + 1);
    }

    /// Notes a part that has no parts, and takes so many bytes at least.
    #[inline]
    pub(super) fn leaf(&self, hash: u64, bytes: usize) -> Result<u64, Refused> {
        if let Some(paths) = &self.paths {
            paths.leaf(hash);
        }
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                Ok(hash)
            }
            None => self.stop(WalkEnd::TooLarge),
        }
    }
}

/// Kinds, as they are mixed into digests. The numbers are part of the wire format.
pub(super) mod kind {
    pub(in crate::wire) const BOOL: u64 = 1;
    pub(in crate::wire) const CHAR: u64 = 2;
    pub(in crate::wire) const TEXT: u64 = 3;
    pub(in crate::wire) const BYTES: u64 = 4;
    pub(in crate::wire) const NONE: u64 = 5;
    pub(in crate::wire) const SOME: u64 = 6;
    pub(in crate::wire) const UNIT: u64 = 7;
    pub(in crate::wire) const UNIT_STRUCT: u64 = 8;
    pub(in crate::wire) const VARIANT: u64 = 9;
    pub(in crate::wire) const NEWTYPE: u64 = 10;
    pub(in crate::wire) const SEQ: u64 = 11;
    pub(in crate::wire) const TUPLE: u64 = 12;
    pub(in crate::wire) const MAP: u64 = 13;
    pub(in crate::wire) const STRUCT: u64 = 14;
    pub(in crate::wire) const END: u64 = 15;
    pub(in crate::wire) const NUMBER: u64 = 16;
}

/// Why a value does not serialize, in the words of its type: serde hands over no more than them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}
