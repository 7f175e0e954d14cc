//! Refreshing what was served stale.

use std::sync::{Arc, PoisonError};

use super::{
    Wish,
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
    /// Does it; nobody waits for the outcome.
    pub(crate) async fn run<O: Origin>(self, origin: O) {
        let asked = Asked::refreshing(self.wish.clone(), self.key.clone(), self.page.clone());
        Computation::new(&self.cache, asked, Handoff::new()).run(origin).await;
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        self.cache.state.refreshing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
