//! Background refreshes of responses that were served stale.

use std::sync::Arc;

use super::{detached::CommitFlag, fetch::Fetch, handoff::Handoff};
use crate::{
    cacheable_request::CacheableRequest, http_cache::HttpCache, origin::Origin,
    stored_response::StoredResponse,
};

pub(crate) struct Refresh {
    pub(super) cache: HttpCache,
    pub(super) request: Arc<CacheableRequest>,
    pub(super) key: String,
    pub(super) stored: StoredResponse,
}

impl Refresh {
    /// Revalidates the stored response, unless that is being done already.
    pub(crate) async fn run<O: Origin>(self, origin: O) {
        let Self { cache, request, key, stored } = self;
        let (state, claimed) = (cache.state.clone(), key.clone());
        let Some(_claim) = state.refreshes.claim(&claimed) else { return };
        let (handoff, commit) = (Handoff::new(), CommitFlag::default());
        let fetch = Fetch { cache, request, key, stored: Some(stored), is_coalesced: true, handoff, commit };
        fetch.run(origin).await;
    }
}
