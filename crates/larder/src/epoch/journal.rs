//! Journals of the changes of this process: those who write them down.

use std::{
    fmt,
    sync::{
        Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
};

/// Writes changes down, so that they outlive the process.
pub(crate) trait Journal: fmt::Debug + Send + Sync {
    /// Takes in a change that was just made, with its number: after it can be seen, so that what was found valid before
    /// this call may come before it, and what is found valid after it is not covered. Must not wait.
    fn note(&self, scopes: &[ScopeHash], number: u64);
}

/// All journals.
#[derive(Debug, Default)]
pub(super) struct Journals {
    any: AtomicBool,
    all: Mutex<Vec<Weak<dyn Journal>>>,
}

impl Journals {
    #[cfg_attr(not(feature = "disk"), expect(dead_code, reason = "for what is kept on disk"))]
    pub(super) fn add(&self, journal: Weak<dyn Journal>) {
        let mut all = lock(&self.all);
        all.retain(|journal| journal.strong_count() > 0);
        all.push(journal);
        self.any.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn note(&self, scopes: &[ScopeHash], number: u64) {
        if self.any.load(Ordering::Acquire) {
            self.note_all(scopes, number);
        }
    }

    #[cold]
    fn note_all(&self, scopes: &[ScopeHash], number: u64) {
        let all: Vec<_> = lock(&self.all).iter().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|journal| journal.note(scopes, number));
    }
}
