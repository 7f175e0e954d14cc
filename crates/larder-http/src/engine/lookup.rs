//! Looking up the stored response that a request selects.
//!
//! There is no index of variants. The URL of a request has one key, at which any variant may be stored. If the request
//! does not select that one by its `Vary`, the next key is a digest of the headers that this `Vary` names, with the
//! values of this request: of `Accept-Language`, only what the request prefers to everything else, if there is one such
//! language. The variant that is stored there may be for requests that accept other things besides, or name
//! other headers, and lead to a third key.

use larder::{Cache, internal::find_uncounted};

use crate::{cacheable_request::CacheableRequest, digest::Digest, stored_response::StoredResponse};

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

pub(super) async fn look_up(cache: &dyn Cache, request: &CacheableRequest) -> Lookup {
    let mut digest = request.unkeyed_inputs;
    for step in 0..MAX_STEPS {
        let key = VariantKey { text: request.primary_key.variant(&digest), has_siblings: step > 0 };
        let Some(stored) = find_uncounted::<StoredResponse>(cache, &key.text).await else {
            return Lookup::Absent(key);
        };
        if stored.vary.matches(&request.headers, &stored.headers, &request.selecting) {
            return Lookup::Found(key, stored);
        }
        let how = (&*request.selecting, step == 0);
        let selected = stored.vary.key_of(&request.headers, &stored.headers, how);
        digest = Digest::of(&[digest.bytes(), selected.bytes()]);
    }
    Lookup::TooManyVariants
}
