//! Background refreshes of responses that were served stale.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

use super::{detached::CommitFlag, fetch::Fetch, handoff::Handoff, lookup::VariantKey};
use crate::{
    cacheable_request::CacheableRequest, http_cache::HttpCache, origin::Origin,
    stored_response::StoredResponse,
};

pub(crate) struct Refresh {
    pub(super) cache: HttpCache,
    pub(super) request: Arc<CacheableRequest>,
    pub(super) key: VariantKey,
    pub(super) stored: StoredResponse,
}

/// The longest time of a refresh if handlers end with their clients.
const WITHOUT_GRACE: Duration = Duration::from_secs(30);

impl Refresh {
    /// Revalidates the stored response, unless that is being done already, or too many handlers go on without a client.
    pub(crate) async fn run<O: Origin>(self, origin: O) {
        let Self { cache, request, key: VariantKey { text: key, rule, .. }, stored } = self;
        let (state, claimed, config) = (cache.state.clone(), key.clone(), cache.config.clone());
        let Some(_claim) = state.refreshes.claim(&claimed) else { return };
        let Some(_place) = state.detached.enter(config.max_detached) else { return };
        let (handoff, commit) = (Handoff::new(), CommitFlag::default());
        let (stored, called, is_coalesced) = (Some(stored), OnceLock::new(), true);
        let fetch = Fetch { cache, request, key, rule, stored, is_coalesced, handoff, commit, called };
        let refreshing = fetch.run(origin);
        let grace = config.disconnect_grace;
        let limit = if grace.is_zero() { WITHOUT_GRACE } else { grace };
        // Without a runtime there are no timers.
        if Handle::try_current().is_ok() {
            // One that takes too long is dropped: a later request begins another one.
            let _ = timeout(limit, refreshing).await;
        } else {
            refreshing.await;
        }
    }
}
