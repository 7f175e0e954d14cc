//! Looking up the stored response that a request selects.
//!
//! There is no index of variants. The URL of a request has one key, at which any variant may be stored. If the request
//! does not select that one by its `Vary`, the next key is a digest of the headers that this `Vary` names, with the
//! values of this request: of `Accept-Language`, only what the request prefers to everything else, if there is one such
//! language. The variant that is stored there may be for requests that accept other things besides, or name
//! other headers, and lead to a third key.

use std::borrow::Cow;

use larder::{
    Cache,
    internal::{find_in_memory_uncounted, find_kept_uncounted},
};

use crate::{
    cacheable_request::CacheableRequest, config::Config, digest::Digest, stored_response::StoredResponse,
};

/// Most keys that are looked up. Three are enough if a handler names the same headers in each `Vary` of a URL.
const MAX_STEPS: usize = 5;

pub(super) enum Lookup {
    /// The selected variant, and its key.
    Found(VariantKey, StoredResponse),
    /// No such variant, and the key for it.
    Absent(VariantKey),
    /// Only other variants, and no key for one more.
    TooManyVariants,
}

#[derive(Debug, Clone)]
pub(super) struct VariantKey {
    pub(super) text: String,
    /// Whether another variant of the URL is stored.
    pub(super) has_siblings: bool,
}

/// Looks a request's variant up, wherever it is stored.
pub(super) async fn look_up(config: &Config, request: &CacheableRequest) -> Lookup {
    let mut place = Place::first(request);
    while place.step < MAX_STEPS {
        let key = VariantKey { text: place.key().into_owned(), has_siblings: place.step > 0 };
        let Some(found) = find_kept_uncounted::<StoredResponse>(&*config.cache, &key.text).await else {
            return Lookup::Absent(key);
        };
        let stored = match found.marked {
            Some(ago) => found.value.marked(ago, config.shared_now()),
            None => found.value,
        };
        if place.is_selected(&stored) {
            return Lookup::Found(key, stored);
        }
        place.move_on(&stored);
    }
    Lookup::TooManyVariants
}

/// The variant that a request selects, if it is in this process' memory.
pub(super) fn look_up_in_memory(cache: &dyn Cache, request: &CacheableRequest) -> Option<StoredResponse> {
    let mut place = Place::first(request);
    while place.step < MAX_STEPS {
        let stored = find_in_memory_uncounted::<StoredResponse>(cache, &place.key())?;
        if place.is_selected(&stored) {
            return Some(stored);
        }
        place.move_on(&stored);
    }
    None
}

/// Where a variant is looked for.
struct Place<'a> {
    request: &'a CacheableRequest,
    digest: Digest,
    step: usize,
}

impl<'a> Place<'a> {
    fn first(request: &'a CacheableRequest) -> Self {
        Self { request, digest: request.unkeyed_inputs, step: 0 }
    }

    fn key(&self) -> Cow<'a, str> {
        self.request.primary_key.variant(&self.digest)
    }

    /// Whether the request selects the variant that is stored here.
    fn is_selected(&self, stored: &StoredResponse) -> bool {
        stored.vary.matches(&self.request.headers, &stored.headers, &self.request.selecting)
    }

    /// Moves on to where the variant that is stored here leads.
    fn move_on(&mut self, stored: &StoredResponse) {
        let how = (&*self.request.selecting, self.step == 0);
        let selected = stored.vary.key_of(&self.request.headers, &stored.headers, how);
        self.digest = Digest::of(&[self.digest.bytes(), selected.bytes()]);
        self.step += 1;
    }
}
