//! Background refreshes: one for each key at a time.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The keys that are being refreshed.
#[derive(Debug, Default)]
pub(crate) struct BackgroundRefreshes(Mutex<HashSet<String>>);

/// The right to refresh a key, until it is dropped.
pub(crate) struct RefreshClaim<'a> {
    refreshes: &'a BackgroundRefreshes,
    key: &'a str,
}

impl BackgroundRefreshes {
    /// None if the key is being refreshed already.
    pub(crate) fn claim<'a>(&'a self, key: &'a str) -> Option<RefreshClaim<'a>> {
        let claimed = self.lock().insert(key.to_owned());
        claimed.then_some(RefreshClaim { refreshes: self, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RefreshClaim<'_> {
    fn drop(&mut self) {
        self.refreshes.lock().remove(self.key);
    }
}
