//! Giving up entries, of which each owner may be the last.

use std::sync::Arc;

use super::Stored;
use crate::drop_later;

impl Stored {
    /// Gives up an entry. If it has no other owner, its value is dropped later.
    pub(crate) fn drop_later(entry: Arc<Self>) {
        if let Some(mut last) = Arc::into_inner(entry) {
            drop_later::put_aside(last.key.clone(), last.take_value());
        }
    }

    /// Gives up an entry where no lock is held. If it has no other owner, its value is dropped now.
    pub(crate) fn drop_now(entry: Arc<Self>) {
        if let Some(mut last) = Arc::into_inner(entry) {
            let value = last.take_value();
            drop_later::drop_one(&last.key, value);
        }
    }
}
