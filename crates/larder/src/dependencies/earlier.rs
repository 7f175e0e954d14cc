//! What a computation is given that was read before it began: the items of a stream that another one began.

use std::sync::{Arc, Weak};

use super::{Frame, add, recording, with_current, with_state};
use crate::{
    entry::Stored,
    epoch::{Epochs, ReadVersion},
    scope::ScopeSet,
    sync::lock,
};

/// The computation that was last told what something is made of.
#[derive(Default)]
pub(crate) struct LastReader(Weak<Frame>);

impl LastReader {
    /// Whether the current computation is another one, which is the last from here on.
    pub(crate) fn is_another(&mut self) -> bool {
        recording()
            && with_current(|frame| {
                // The weak pointer keeps the address from being another frame's.
                let is_another = !std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(frame));
                if is_another {
                    self.0 = Arc::downgrade(frame);
                }
                is_another
            })
    }
}

/// As [`record`](super::record), of an entry that was found valid at `since`.
pub(crate) fn record_found(epochs: &Arc<Epochs>, read: &Stored, since: ReadVersion) {
    super::record(epochs, read);
    let foreign = read.foreign_dependencies();
    note_read_at(since, || {
        epochs.unchanged(read.scopes(), since)
            && foreign.iter().all(|there| there.epochs.unchanged(&there.scopes, since))
    });
}

/// The current computation is given what was read at `since`. If it began later, what was changed in between would count as
/// older than its value: then it counts as begun at `since` too, and nothing is stored of it.
fn note_read_at(since: ReadVersion, unchanged: impl FnOnce() -> bool) {
    let began_later = with_current(|frame| frame.since.is_after(since));
    if began_later && !unchanged() {
        with_state(|state| state.note_since(Some(since)));
    }
}

impl Frame {
    /// Passes on what was read in this frame, and these scopes of its own, to the current computation, which may have begun
    /// after it.
    pub(crate) fn pass_on_begun(self: &Arc<Self>, epochs: &Arc<Epochs>, own: &ScopeSet) {
        drop(self.pass_on());
        if recording() {
            with_state(|state| add(&mut state.reads, epochs, own.iter().copied()));
            note_read_at(self.since, || epochs.unchanged(own, self.since) && self.unchanged());
        }
    }

    /// Whether nothing that was read in this frame was changed since it began.
    fn unchanged(&self) -> bool {
        let reads = lock(&self.state).reads.clone();
        reads
            .iter()
            .all(|there| there.epochs.unchanged(&there.scopes.iter().collect::<ScopeSet>(), self.since))
    }
}
