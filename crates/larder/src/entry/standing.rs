//! Whether an entry may be served: the one rule, and what was marked stale.

use super::{
    Freshness, Stored,
    cover::{ForeignDependencies, first_mark, unchanged, unmarked},
    facts::Fact,
};
use crate::{
    clock::Moment,
    epoch::{Epochs, Marked, ReadVersion, Standing},
    scope::ScopeHash,
};

impl Stored {
    /// Whether the one rule allows to serve it, and nothing that covers it was marked stale.
    #[expect(clippy::inline_always, reason = "a call costs a tenth of a hit, and the compiler makes one")]
    #[inline(always)]
    pub(crate) fn is_valid(&self, epochs: &Epochs) -> bool {
        self.is_in_touch(epochs) && epochs.holds(&self.valid_at, |since| self.is_current(epochs, since))
    }

    #[expect(clippy::inline_always, reason = "a part of a hit")]
    #[inline(always)]
    fn is_in_touch(&self, epochs: &Epochs) -> bool {
        epochs.in_touch()
            && (!self.facts.has(Fact::DependsOnOthers)
                || ForeignDependencies::are_in_touch(self.foreign_dependencies()))
    }

    /// What the one rule says of it.
    pub(crate) fn standing(&self, epochs: &Epochs) -> Standing {
        match self.is_valid(epochs) {
            true => Standing::Valid,
            // Asked before the look, as ever.
            false if !self.is_in_touch(epochs) => Standing::Invalidated,
            false => self.look(epochs),
        }
    }

    /// The same in touch with all logs, and without a shortcut.
    fn look(&self, epochs: &Epochs) -> Standing {
        let stamp = self.valid_at.read_version();
        match () {
            () if !self.unchanged(epochs, stamp) => Standing::Invalidated,
            () if self.unmarked(epochs, stamp) => Standing::Valid,
            () => Standing::Marked(self.marked_since(epochs, stamp)),
        }
    }

    /// Whether it may take the place of what is under its key: nothing that covers it was changed since it began. Asked
    /// within a change: local order alone answers.
    pub(crate) fn stands(&self, epochs: &Epochs) -> bool {
        let foreign_dependencies = self.foreign_dependencies();
        !self.is_too_wide()
            && unchanged(epochs, &self.scopes, foreign_dependencies, self.since)
            && unmarked(epochs, &self.scopes, foreign_dependencies, self.since)
    }

    /// Whether it can no longer be served, now or at any later time. What is not served because a log is disconnected may be
    /// served again.
    pub(crate) fn is_over(&self, now: Moment, epochs: &Epochs) -> bool {
        self.is_expired(now)
            || !epochs.holds(&self.valid_at, |since| self.is_current(epochs, since))
                && self
                    .freshness_in(self.look(epochs), now)
                    .is_none_or(|freshness| freshness == Freshness::Expired)
    }

    /// How fresh it is with this standing: not at all if it is invalidated.
    pub(crate) fn freshness_in(&self, standing: Standing, now: Moment) -> Option<Freshness> {
        match standing {
            Standing::Valid => Some(self.freshness(now)),
            Standing::Marked(marked) => Some(self.life.ended(self.time_of(marked)).freshness(now)),
            Standing::Invalidated => None,
        }
    }

    /// When it was marked stale, or what it was made from, if it was: for what is made from it.
    pub(crate) fn marked_at(&self, epochs: &Epochs) -> Option<Moment> {
        if self.facts.has(Fact::Marked) {
            return Some(self.life.ttl_end);
        }
        let stamp = self.valid_at.read_version();
        (!self.unmarked(epochs, stamp)).then(|| self.time_of(self.marked_since(epochs, stamp)))
    }

    /// A mark that is not remembered may be as old as the entry.
    fn time_of(&self, Marked(at): Marked) -> Moment {
        at.unwrap_or(self.life.stored)
    }

    /// Whether nothing that covers the entry was invalidated: in local order since it was last found valid, or in
    /// the order of the log, if it has an epoch and all that it was made from is in the tables of that log.
    fn unchanged(&self, epochs: &Epochs, stamp: ReadVersion) -> bool {
        unchanged(epochs, &self.scopes, self.foreign_dependencies(), stamp)
            || !self.facts.has(Fact::DependsOnOthers)
                && epochs.valid_in_log_order(&self.scopes, stamp, self.since)
    }

    /// Whether nothing that covers the entry was marked stale: in either order, as in [`unchanged`](Self::unchanged).
    fn unmarked(&self, epochs: &Epochs, stamp: ReadVersion) -> bool {
        unmarked(epochs, &self.scopes, self.foreign_dependencies(), stamp)
            || !self.facts.has(Fact::DependsOnOthers)
                && epochs.unmarked_in_log_order(&self.scopes, self.since)
    }

    /// Its scopes, and everything: each with whether it was invalidated since the entry was last found valid.
    pub(crate) fn changed_scopes(&self, epochs: &Epochs) -> impl Iterator<Item = (ScopeHash, bool)> {
        let stamp = self.valid_at.read_version();
        let scopes = self.scopes.iter().copied().chain([ScopeHash::ALL]);
        scopes.map(move |scope| (scope, epochs.is_changed_since(scope, stamp)))
    }

    fn is_current(&self, epochs: &Epochs, stamp: ReadVersion) -> bool {
        self.unchanged(epochs, stamp) && self.unmarked(epochs, stamp)
    }

    fn marked_since(&self, epochs: &Epochs, stamp: ReadVersion) -> Marked {
        first_mark(epochs, &self.scopes, self.foreign_dependencies(), stamp)
    }
}
