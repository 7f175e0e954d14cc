//! State that all clones of a cache share, beside the stored responses.

mod background_refreshes;
mod detached_handlers;
mod hit_for_miss;
mod variants;
mod waiting_clients;

use std::sync::OnceLock;

use larder::internal::HitCounter;

pub(crate) use self::detached_handlers::DetachedPlace;
use self::{
    background_refreshes::BackgroundRefreshes, detached_handlers::DetachedHandlers, hit_for_miss::HitForMiss,
    variants::Variants, waiting_clients::WaitingClients,
};

#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) hit_for_miss: HitForMiss,
    /// Keys whose responses are too large to be stored for a request for a part of them.
    pub(crate) too_large: HitForMiss,
    pub(crate) refreshes: BackgroundRefreshes,
    pub(crate) detached: DetachedHandlers,
    pub(crate) waiting: WaitingClients,
    pub(crate) variants: Variants,
    /// Made at the first hit.
    pub(crate) hits: OnceLock<HitCounter>,
}

impl Default for SharedState {
    fn default() -> Self {
        Self {
            hit_for_miss: HitForMiss::with_lifetime(10),
            too_large: HitForMiss::with_lifetime(10 * 60),
            refreshes: BackgroundRefreshes::default(),
            detached: DetachedHandlers::default(),
            waiting: WaitingClients::default(),
            variants: Variants::default(),
            hits: OnceLock::new(),
        }
    }
}
