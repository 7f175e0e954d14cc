//! State that all clones of a cache share, beside the stored responses.

mod background_refreshes;
mod hit_for_miss;

use self::{background_refreshes::BackgroundRefreshes, hit_for_miss::HitForMiss};

#[derive(Debug, Default)]
pub(crate) struct SharedState {
    pub(crate) hit_for_miss: HitForMiss,
    pub(crate) refreshes: BackgroundRefreshes,
}
