//! What the cache can do for a request by itself, with what a lookup found.

use larder::Tier;

use super::lookup::{Lookup, VariantKey};
use crate::{
    cache_status::Forward, cacheable_request::CacheableRequest, date::Millis, freshness::Reuse,
    stored_response::StoredResponse,
};

/// What the cache can do for a request by itself.
pub(super) enum Assessment {
    /// Serve this response.
    Serve(VariantKey, StoredResponse, Tier),
    /// Serve this response, which is stale, and refresh it.
    ServeAndRefresh(VariantKey, StoredResponse, Tier),
    /// Nothing: the handler has to be called.
    Fetch(Miss),
    /// Nothing, and a new response cannot be stored.
    TooManyVariants,
}

pub(super) struct Miss {
    pub(super) key: VariantKey,
    /// The stored response to be validated.
    pub(super) stored: Option<StoredResponse>,
    /// Where that lay.
    pub(super) tier: Tier,
    pub(super) why: Forward,
    /// Whether the response of another request's fetch would be of no use.
    pub(super) is_uncoalesced: bool,
}

/// What the cache can do for a request with what a lookup found.
pub(super) fn assess(request: &CacheableRequest, found: Lookup, now: Millis) -> Assessment {
    let (key, (stored, tier), why) = match found {
        Lookup::TooManyVariants => return Assessment::TooManyVariants,
        Lookup::Absent(key) if key.has_siblings => (key, (None, Tier::Memory), Forward::VaryMiss),
        Lookup::Absent(key) => (key, (None, Tier::Memory), Forward::UriMiss),
        Lookup::Found(key, stored, tier) if !request.selects(&stored) => {
            let why = Forward::Miss;
            return Assessment::Fetch(Miss { key, stored: None, tier, why, is_uncoalesced: true });
        }
        Lookup::Found(key, stored, tier) => match stored.freshness.reuse(&request.directives, now) {
            Reuse::Fresh | Reuse::Stale => return Assessment::Serve(key, stored, tier),
            Reuse::StaleWhileRevalidate => return Assessment::ServeAndRefresh(key, stored, tier),
            Reuse::RevalidateOnRequest => {
                let why = if stored.ttl(now) > 0 { Forward::Request } else { Forward::Stale };
                let stored = Some(stored);
                return Assessment::Fetch(Miss { key, stored, tier, why, is_uncoalesced: true });
            }
            Reuse::Revalidate => (key, (Some(stored), tier), Forward::Stale),
        },
    };
    Assessment::Fetch(Miss { key, stored, tier, why, is_uncoalesced: false })
}
