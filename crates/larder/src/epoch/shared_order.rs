//! The order of changes that several processes share, and a replacement in both orders.

use std::{fmt, sync::Arc};

use super::{
    announcement::Announcement,
    id::{Epoch, LogId},
    version::ReadVersion,
};
use crate::scope::ScopeHash;

/// The order of the changes that several processes share, as far as the rule in one process needs it.
pub(crate) trait SharedOrder: fmt::Debug + Send + Sync {
    /// Which order it is, and through which epoch every record of it is applied here.
    fn position(&self) -> (LogId, Epoch);

    /// Takes in a change of this process that others are to hear of: before its slots are raised, by the only applier.
    /// `keys` are those of the scopes that are single keys.
    fn announce(&self, scopes: &[ScopeHash], keys: &mut dyn Iterator<Item = Arc<str>>) -> Arc<Announcement>;

    /// The same of a change that puts new entries in the place of those of these keys.
    fn announce_replacement(&self, keys: &[ScopeHash]) -> Arc<Announcement> {
        self.announce(keys, &mut std::iter::empty())
    }

    /// The change is done: what was taken in may go out.
    fn ring(&self);

    /// Whether what is known of changes by other processes is recent enough to serve anything.
    fn in_touch(&self) -> bool;

    /// Whether nothing newer than `epoch` is known that covers an entry under these scopes.
    fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool;

    /// Whether no mark newer than `epoch` is known that covers an entry under these scopes.
    fn unmarked(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool;

    /// Whether what other processes change is applied here, as it is where there is a log. Without one, a value is proved
    /// by what is found in the store, from the epoch on that its own computation began with.
    fn hears_others(&self) -> bool {
        true
    }
}

/// A change that puts new entries in the place of others.
pub(crate) struct Replacement {
    /// The stamp of what is put there: the change itself.
    pub(crate) since: ReadVersion,
    /// How far it has come, where there is a log to tell of it.
    pub(crate) announcement: Option<Arc<Announcement>>,
    /// Whether a replacement is proved by where its value was read, and not by the change: see
    /// [`SharedOrder::hears_others`].
    pub(crate) by_read: bool,
}
