//! What the store keeps: entries that it never drops itself.

use crate::entry::{Entry, Stored};

/// An entry in the store, with its weight: measured before it came there, since a weigher is its author's code too.
#[derive(Clone)]
pub(super) struct KeptEntry {
    /// None once it was taken out.
    entry: Option<Entry>,
    weight: u32,
}

impl KeptEntry {
    pub(super) fn new(entry: Entry, weight: u32) -> Self {
        Self { entry: Some(entry), weight }
    }

    pub(super) fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    pub(super) fn into_entry(mut self) -> Option<Entry> {
        self.entry.take()
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight
    }
}

impl Drop for KeptEntry {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            Stored::drop_later(entry.0);
        }
    }
}
