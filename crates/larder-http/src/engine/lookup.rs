//! Looking up the stored response that a request selects.
//!
//! There is no index of variants. The URL of a request has one key, at which any variant may be stored. If the request
//! does not select that one by its `Vary`, the next key is a digest of the headers that this `Vary` names, with the
//! values of this request: of `Accept-Language`, only what the request prefers to everything else, if there is one such
//! language. The variant that is stored there may be for requests that accept other things besides, or name
//! other headers, and lead to a third key.
//!
//! Where `No-Vary-Search` counts, the last rule of a path is stored too. By that rule all equivalent URLs have one key,
//! at which a response is looked up first, and at the key of its own URL then: responses without the header are there, and
//! those with it under the rule that is theirs alone. So a response answers no URL that its own header does not make
//! equivalent, whatever the last rule is.

use std::{borrow::Cow, time::Duration};

use larder::{
    CacheExt as _, Policy, Tier,
    internal::{find_in_memory_uncounted, find_kept_uncounted, find_local_uncounted, unrecorded},
};

use crate::{
    cacheable_request::CacheableRequest, config::Config, digest::Digest, key::PrimaryKey,
    no_vary_search::UrlVariation, stored_response::StoredResponse,
};

/// Most keys that are looked up. Three are enough if a handler names the same headers in each `Vary` of a URL.
const MAX_STEPS: usize = 5;

pub(super) enum Lookup {
    /// The selected variant, its key, and where it lay.
    Found(VariantKey, StoredResponse, Tier),
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
    /// The rule by which the key is that of equivalent URLs too.
    pub(super) rule: Option<UrlVariation>,
}

/// Looks a request's variant up, wherever it is stored.
pub(super) async fn look_up(config: &Config, request: &CacheableRequest) -> Lookup {
    let rule = if config.no_vary_search { rule_of(config, request).await } else { None };
    if rule.is_none() {
        return look_up_under(config, request, None).await;
    }
    match look_up_under(config, request, rule).await {
        Lookup::Absent(key) => match look_up_under(config, request, None).await {
            found @ Lookup::Found(..) => found,
            // The next response most probably has the same rule.
            _ => Lookup::Absent(key),
        },
        found => found,
    }
}

/// The last rule of a request's path. What it is decides where a response is looked for, and not which one answers: nothing
/// depends on it.
async fn rule_of(config: &Config, request: &CacheableRequest) -> Option<UrlVariation> {
    let key = request.primary_key.rule();
    let rule = unrecorded(find_kept_uncounted(&*config.cache, &key)).await?;
    if rule.marked.is_some() {
        // With the responses of the path, to which it still leads.
        remember(config, request, &rule.value).await;
    }
    Some(rule.value)
}

/// Remembers the last rule of a request's path. It depends on nothing that a handler has read.
pub(super) async fn remember(config: &Config, request: &CacheableRequest, rule: &UrlVariation) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let Ok(policy) = Policy::builder().ttl(DAY).stale_if_error(DAY).build() else { return };
    let key = request.primary_key.rule();
    // The only possible errors are those of a key that is empty or too long, which this one is not.
    let _ = unrecorded(config.cache.insert(&key, rule, policy)).await;
}

/// Makes the running computation depend on what is stored under a key, or is about to be.
pub(super) async fn depend_on(config: &Config, key: &str) {
    let _ = find_kept_uncounted::<StoredResponse>(&*config.cache, key).await;
}

/// Looks a request's variant up at the key that its URL and all equivalent ones have by a rule.
pub(super) async fn look_up_under(
    config: &Config,
    request: &CacheableRequest,
    rule: Option<UrlVariation>,
) -> Lookup {
    let mut place = Place::first(request, rule.as_ref());
    while place.step < MAX_STEPS {
        let has_siblings = place.step > 0;
        let key = VariantKey { text: place.key().into_owned(), has_siblings, rule: rule.clone() };
        let Some(found) = find_kept_uncounted::<StoredResponse>(&*config.cache, &key.text).await else {
            return Lookup::Absent(key);
        };
        let tier = found.tier;
        let stored = match found.marked {
            Some(ago) => found.value.marked(ago, config.shared_now()),
            None => found.value,
        };
        if place.is_selected(&stored) {
            return Lookup::Found(key, stored, tier);
        }
        place.move_on(&stored);
    }
    Lookup::TooManyVariants
}

/// The last rule of a request's path, if that is in this process' memory.
#[inline]
fn rule_in_memory(config: &Config, request: &CacheableRequest) -> Option<UrlVariation> {
    match config.no_vary_search {
        true => find_local_uncounted(&*config.cache, &request.primary_key.rule()),
        false => None,
    }
}

/// The variant that a request selects, if it is in this process' memory.
pub(super) fn look_up_in_memory(config: &Config, request: &CacheableRequest) -> Option<StoredResponse> {
    let (cache, rule) = (&*config.cache, rule_in_memory(config, request));
    let mut place = Place::first(request, rule.as_ref());
    while place.step < MAX_STEPS {
        let stored = find_in_memory_uncounted::<StoredResponse>(cache, &place.key())?;
        if place.is_selected(&stored) {
            return Some(stored);
        }
        place.move_on(&stored);
    }
    None
}

/// The key of a variant that was found in this process' memory.
pub(super) fn key_in_memory(
    config: &Config,
    request: &CacheableRequest,
    selected: &StoredResponse,
) -> String {
    let (cache, rule) = (&*config.cache, rule_in_memory(config, request));
    let mut place = Place::first(request, rule.as_ref());
    while place.step < MAX_STEPS {
        match find_local_uncounted::<StoredResponse>(cache, &place.key()) {
            Some(stored) if stored.id != selected.id && !place.is_selected(&stored) => place.move_on(&stored),
            // It may have been replaced since.
            _ => break,
        }
    }
    place.key().into_owned()
}

/// Where a variant is looked for.
struct Place<'a> {
    request: &'a CacheableRequest,
    primary_key: Cow<'a, PrimaryKey>,
    digest: Digest,
    step: usize,
}

impl<'a> Place<'a> {
    fn first(request: &'a CacheableRequest, rule: Option<&UrlVariation>) -> Self {
        Self { request, primary_key: request.key_under(rule), digest: request.inputs_under(rule), step: 0 }
    }

    fn key(&self) -> Cow<'_, str> {
        self.primary_key.variant(&self.digest)
    }

    /// Whether the request selects the variant that is stored here.
    fn is_selected(&self, stored: &StoredResponse) -> bool {
        stored.is_selected_by(&self.request.headers, &self.request.selecting)
    }

    /// Moves on to where the variant that is stored here leads.
    fn move_on(&mut self, stored: &StoredResponse) {
        let how = (&*self.request.selecting, self.step == 0);
        let selected = stored.vary.key_of(&self.request.headers, &stored.headers, how);
        self.digest = Digest::of(&[self.digest.bytes(), selected.bytes()]);
        self.step += 1;
    }
}
