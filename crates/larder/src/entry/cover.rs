//! What covers an entry, and whether any of it has changed.

use std::sync::Arc;

use crate::{
    clock::Moment,
    epoch::{Announcement, Epochs, Marked, ReadVersion},
    scope::{self, ScopeSet},
};

/// Scopes in another cache than the entry's own: of what was read there while computing.
#[derive(Clone)]
pub(crate) struct ForeignDependencies {
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) scopes: ScopeSet,
}

impl ForeignDependencies {
    #[inline(never)]
    pub(super) fn are_in_touch(all: &[Self]) -> bool {
        all.iter().all(|there| there.epochs.in_touch())
    }
}

/// What covers an entry, and since when.
pub(crate) struct DependencySet {
    pub(crate) since: ReadVersion,
    /// How far the replacement has come that the entry is a part of.
    pub(crate) announcement: Option<Arc<Announcement>>,
    pub(crate) scopes: ScopeSet,
    pub(crate) foreign_dependencies: Vec<ForeignDependencies>,
    /// When the first of what was read had been marked stale, if any was.
    pub(crate) marked: Option<Moment>,
}

impl DependencySet {
    /// Of a value that was made from nothing in a cache, and is covered by these scopes.
    pub(crate) fn new(since: ReadVersion, scopes: ScopeSet) -> Self {
        Self { since, announcement: None, scopes, foreign_dependencies: Vec::new(), marked: None }
    }

    /// Whether nothing of it was invalidated since; `epochs` are those of the entry's own cache.
    pub(crate) fn unchanged(&self, epochs: &Epochs) -> bool {
        unchanged(epochs, &self.scopes, &self.foreign_dependencies, self.since)
    }

    /// The same, and nothing of it was marked stale either: so that a later stamp hides no mark.
    pub(crate) fn is_current(&self, epochs: &Epochs) -> bool {
        self.unchanged(epochs) && unmarked(epochs, &self.scopes, &self.foreign_dependencies, self.since)
    }

    /// Whether it is more than an entry can carry. What is recorded of it is then not all there was.
    pub(crate) fn is_too_wide(&self) -> bool {
        is_too_wide(&self.scopes, &self.foreign_dependencies)
    }
}

pub(super) fn is_too_wide(scopes: &ScopeSet, foreign_dependencies: &[ForeignDependencies]) -> bool {
    scopes.len() + foreign_dependencies.iter().map(|there| there.scopes.len()).sum::<usize>() > scope::MOST
}

pub(super) fn unchanged(
    epochs: &Epochs,
    scopes: &ScopeSet,
    foreign_dependencies: &[ForeignDependencies],
    since: ReadVersion,
) -> bool {
    epochs.unchanged(scopes, since)
        && foreign_dependencies.iter().all(|there| there.epochs.unchanged(&there.scopes, since))
}

pub(super) fn unmarked(
    epochs: &Epochs,
    scopes: &ScopeSet,
    foreign_dependencies: &[ForeignDependencies],
    since: ReadVersion,
) -> bool {
    epochs.unmarked(scopes, since)
        && foreign_dependencies.iter().all(|there| there.epochs.unmarked(&there.scopes, since))
}

/// When the first mark since was made, of what was found marked. One that is not remembered is older than any that is.
pub(super) fn first_mark(
    epochs: &Epochs,
    scopes: &ScopeSet,
    foreign_dependencies: &[ForeignDependencies],
    since: ReadVersion,
) -> Marked {
    let foreign = foreign_dependencies.iter().map(|there| (&*there.epochs, &there.scopes));
    let all = std::iter::once((epochs, scopes)).chain(foreign);
    let mut first: Option<Moment> = None;
    for (epochs, scopes) in all.filter(|(epochs, scopes)| !epochs.unmarked(scopes, since)) {
        let Marked(Some(at)) = epochs.marked_since(scopes, since) else { return Marked(None) };
        first = Some(first.map_or(at, |first| first.min(at)));
    }
    Marked(first)
}
