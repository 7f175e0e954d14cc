//! What a table let go of.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::entry::Stored;

/// What was taken out of a table. It is dropped with this, under no lock: see [`Stored::drop_now`].
#[derive(Default)]
#[must_use = "what was evicted is to be counted"]
pub(crate) struct Dropped(SmallVec<[(Arc<Stored>, Went); 1]>);

/// Why an entry was taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It was replaced, removed, or found to be over.
    Away,
    /// It had to make room.
    ToMakeRoom,
}

impl Dropped {
    pub(super) fn push(&mut self, stored: Arc<Stored>, went: Went) {
        self.0.push((stored, went));
    }

    /// All that was taken out.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.0.iter().map(|(stored, _)| stored)
    }

    /// What had to make room.
    pub(crate) fn evicted(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.0.iter().filter(|(_, went)| *went == Went::ToMakeRoom).map(|(stored, _)| stored)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        while let Some((stored, _)) = self.0.pop() {
            Stored::drop_now(stored);
        }
    }
}
