//! What a computation is to replace, as the cache that it computes for knows it.

use std::{sync::Arc, time::Duration};

use crate::{entry::Entry, epoch::Epochs};

/// What is under the key of a computation when that begins.
pub(crate) trait OldEntry: Send + Sync {
    /// The entry, if a value may be made from it now, with the order of changes of its cache and how long ago it was
    /// stored.
    fn usable(&self) -> Option<(&Entry, &Arc<Epochs>, Duration)>;
}
