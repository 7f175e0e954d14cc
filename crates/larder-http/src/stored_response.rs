//! A response in the cache.

mod recent_head;
mod wire;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use larder::internal::scope_count;

pub(crate) use self::recent_head::HeadInputs;
use self::recent_head::RecentHead;
use crate::{
    cache_control::ResponseDirectives,
    date::{Millis, seconds},
    freshness::{Freshness, Source, declared_lifetime},
    headers,
    normalization::Selecting,
    targeted,
    validation::Conditions,
    vary::{Selected, Vary},
};

/// A complete response, and all that decides which requests it may answer. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StoredResponse(Arc<Stored>);

#[derive(Debug)]
struct Stored {
    parts: StoredParts,
    /// Its headers as hits copy them.
    recent: RecentHead,
    /// What selected it when it was first served.
    selected: Selected,
}

/// The parts of a [`StoredResponse`].
#[derive(Debug, Clone)]
pub(crate) struct StoredParts {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) vary: Vary,
    pub(crate) freshness: Freshness,
    /// Whether the entity tag was generated here, so that the handler does not know it.
    pub(crate) generated_etag: bool,
    /// A random number that tells it from all other responses that were or will be stored under its key.
    pub(crate) id: u64,
    pub(crate) tags: Vec<String>,
    /// What its handler took to make it; not known if that ran in another process.
    pub(crate) took: Option<Duration>,
}

impl StoredResponse {
    pub(crate) fn new(parts: StoredParts) -> Self {
        Self(Arc::new(Stored { parts, recent: RecentHead::default(), selected: Selected::default() }))
    }

    /// The headers of an answer: its own, with `Age` and `Cache-Status`; without the field that is for this cache only, if it
    /// has one.
    pub(crate) fn head(&self, inputs: &HeadInputs<&Arc<str>>) -> HeaderMap {
        self.0.recent.get_or_make(inputs, &self.headers)
    }

    /// Whether a request with these headers selects it by its `Vary`.
    pub(crate) fn is_selected_by(&self, request: &HeaderMap, selecting: &Selecting) -> bool {
        self.vary.matches(request, (&self.headers, &self.0.selected), selecting)
    }

    /// Stands for a response that is not stored, and reaches its own client in another way: the result of a computation
    /// must be a value.
    pub(crate) fn none() -> Self {
        static NONE: LazyLock<StoredResponse> = LazyLock::new(|| {
            StoredResponse::new(StoredParts {
                status: StatusCode::NO_CONTENT,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                vary: Vary::default(),
                freshness: Freshness::default(),
                generated_etag: false,
                id: 0,
                tags: Vec::new(),
                took: None,
            })
        });
        NONE.clone()
    }

    pub(crate) fn is_none(&self) -> bool {
        self.id == Self::none().id
    }

    /// Whether it is news beside another one: another status, another body, or other headers about these. All other headers
    /// may be made for each response, as `X-Request-Id` and `Server-Timing` are.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        let is_other =
            |name: &HeaderName| !self.headers.get_all(name).iter().eq(other.headers.get_all(name).iter());
        let names = || self.headers.keys().chain(other.headers.keys());
        self.status != other.status
            || self.body != other.body
            || names().filter(|name| headers::is_of_the_representation(name)).any(is_other)
    }

    /// The conditions that ask the handler whether it is still current.
    pub(crate) fn conditions(&self) -> Conditions {
        Conditions::of(&self.headers, self.generated_etag)
    }

    /// The rest of its lifetime in seconds; negative once it is stale.
    pub(crate) fn ttl(&self, now: Millis) -> i64 {
        seconds(self.freshness.end()).saturating_sub(seconds(self.freshness.age(now)))
    }

    /// The same response, marked stale so long before `now`.
    pub(crate) fn marked(&self, ago: Duration, now: Millis) -> Self {
        Self::new(StoredParts { freshness: self.freshness.marked(ago, now), ..StoredParts::clone(self) })
    }

    /// The age of a response that was marked stale, for caches further on: not less than any lifetime that it declares. They
    /// would keep it as a fresh one, and after what was purged here had been purged there.
    pub(crate) fn age_of_marked(&self, targeted: &[HeaderName], now: Millis) -> Duration {
        let all = ResponseDirectives::of(&self.headers);
        let targeted =
            targeted.iter().map(|name| targeted::directives(&self.headers, std::slice::from_ref(name)));
        let lifetimes = targeted.flat_map(|directives| [directives.s_maxage, directives.max_age]);
        let declared = declared_lifetime(&self.headers, &all, self.freshness.received);
        let longest = lifetimes.chain([declared, all.max_age]).flatten().max();
        self.freshness.age(now).max(longest.unwrap_or_default())
    }

    /// For how many seconds a cache further on may serve it without asking. If its lifetime is configured here, for none:
    /// that cache does not know which requests identify their clients. If one of the `targeted` fields is for this cache,
    /// `Cache-Control` and `Expires` are for the others.
    pub(crate) fn downstream_ttl(&self, targeted: &[HeaderName], now: Millis) -> i64 {
        let is_for_all = || !targeted.iter().any(|name| self.headers.contains_key(name));
        match self.freshness.source {
            Source::Configured | Source::ConfiguredPublic => 0,
            _ if self.freshness.is_marked() => 0,
            Source::Origin if is_for_all() => self.ttl(now),
            source => {
                let directives = ResponseDirectives::of(&self.headers);
                let lifetime = declared_lifetime(&self.headers, &directives, self.freshness.received);
                let lifetime = lifetime.filter(|_| !directives.is_lifeless()).unwrap_or_default();
                let age = if source == Source::Own { Duration::ZERO } else { self.freshness.age(now) };
                seconds(lifetime).saturating_sub(seconds(age))
            }
        }
    }

    /// Adds `no-cache` to the headers of a response made from it if its lifetime is not declared to other caches.
    pub(crate) fn add_no_cache(&self, headers: &mut HeaderMap) {
        headers::add_no_cache(headers, self.freshness.source);
    }

    /// The memory that it takes, in bytes, approximately.
    pub(crate) fn weight(&self) -> usize {
        let headers =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
        let tags = self.tags.iter().map(|tag| tag.len() + size_of::<String>());
        self.body.len()
            + headers.sum::<usize>()
            + tags.sum::<usize>()
            + self.vary.weight()
            + ADDED_HEADERS
            + size_of::<Stored>()
    }
}

impl std::ops::Deref for StoredResponse {
    type Target = StoredParts;

    fn deref(&self) -> &StoredParts {
        &self.0.parts
    }
}

/// The memory of a header without its text, in bytes, in the maps that are kept.
const HEADER_OVERHEAD: usize = 264;

/// The memory of the headers that answers have besides: their places in a map, and their text.
const ADDED_HEADERS: usize = 400;

/// The memory of a cache's entry without its key and value, in bytes.
const ENTRY_OVERHEAD: usize = 1024;

/// The memory that an entry with a stored response takes, in bytes: a weigher for `larder`'s `MemoryCache`, whose
/// capacity is then a number of bytes. Any other entry weighs the length of its key and 256 bytes.
///
/// ```
/// let cache = larder::MemoryCache::builder().capacity(64 << 20).weigher(larder_http::weigh).build();
/// ```
#[must_use]
pub fn weigh(key: &str, entry: &larder::Entry) -> u32 {
    // Few by its own key and tags, and as many as its handler has read.
    let scopes = scope_count(entry) * size_of::<u64>();
    let value =
        entry.value::<StoredResponse>().map_or(256, |stored| stored.weight() + ENTRY_OVERHEAD + scopes);
    u32::try_from(key.len() + value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
