//! Refreshing what was served stale.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Wish,
    apart::Begun,
    computation::{Asked, Computation},
    handoff::Handoff,
};
use crate::{config::HttpCache, origin::Origin, page::Page};

/// A refresh behind a client's back.
pub(crate) struct Refresh {
    pub(super) cache: HttpCache,
    pub(super) wish: Arc<Wish>,
    pub(super) key: String,
    pub(super) page: Page,
}

impl Refresh {
    /// Does it, unless somebody else is at it; nobody waits for the outcome.
    pub(crate) async fn run<O: Origin>(self, origin: O) {
        let Some(_claim) = Claim::lay(&self.cache, &self.key) else { return };
        let asked = Asked::refreshing(self.wish.clone(), self.key.clone(), self.page.clone());
        Computation::new(&self.cache, asked, Handoff::new(), Begun::default()).run(origin).await;
    }
}

/// One refresh of a key at a time.
struct Claim<'a> {
    keys: &'a Mutex<HashSet<String>>,
    key: &'a str,
}

impl<'a> Claim<'a> {
    fn lay(cache: &'a HttpCache, key: &'a str) -> Option<Self> {
        let keys = &cache.state.refreshing;
        let claimed = keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        claimed.then_some(Self { keys, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(self.key);
    }
}
