//! The configuration of a cache, and what follows from it for a request.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};
use larder::{Cache, CacheExt, MemoryCache};

use crate::{
    date::{Millis, millis},
    normalization::Selecting,
    path_tags::TagTemplate,
    purge::Purge,
    request_headers, status_code,
    stored_response::weigh,
    targeted::{self, OWN_FIELD},
    validation::{ORIGIN_CONDITIONS, RANGE_HEADERS},
};

pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
pub(crate) type KeyOf = Arc<dyn Fn(&Parts) -> String + Send + Sync>;
pub(crate) type OnPurge = Arc<dyn Fn(&[Purge]) + Send + Sync>;
pub(crate) type Predicate = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Copies an extension of one type from an Actix request.
#[cfg(feature = "actix")]
pub(crate) type CopyExtension = Arc<dyn Fn(&actix_http::Extensions, &mut http::Extensions) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Config {
    /// The cache that the user gave.
    given: Arc<dyn Cache>,
    /// The cache in which responses are stored: the given one, most often with a memory of its own for responses.
    pub(crate) cache: Arc<dyn Cache>,
    /// The capacity of that memory in bytes; none if the given cache's own memory is used.
    capacity: Option<u64>,
    clock: Option<Clock>,
    /// How far the servers' clock is ahead of `clock`, in milliseconds, since both were first read.
    ahead: Arc<OnceLock<i64>>,
    /// This cache's name in `Cache-Status`.
    pub(crate) name: Arc<str>,
    pub(crate) accel_expires: bool,
    /// For how long a handler goes on after its client went away.
    pub(crate) disconnect_grace: Duration,
    /// The most handlers that go on without a client.
    pub(crate) max_detached: usize,
    /// Whether a proxy in front sets or removes all forwarding headers.
    pub(crate) trusts_proxy: bool,
    pub(crate) ignores_scheme: bool,
    /// How the headers that `Vary` names are compared.
    pub(crate) selecting: Arc<Selecting>,
    /// The most variants of one URL beside the first one.
    pub(crate) max_variants: usize,
    /// Added to the `Vary` of all responses.
    pub(crate) vary: Vec<HeaderName>,
    /// The fields that count in place of `Cache-Control`, the most specific one first.
    pub(crate) targeted: Vec<HeaderName>,
    /// Whether one of them is for this cache only.
    pub(crate) has_own_field: bool,
    pub(crate) ttl: Option<Duration>,
    /// By path prefix, the longest one first.
    pub(crate) ttls_under: Vec<(String, Duration)>,
    pub(crate) heuristic: bool,
    pub(crate) keep_stale: Duration,
    /// In place of which a stale response may be served.
    pub(crate) stale_if_error: Vec<StatusCode>,
    pub(crate) max_body: usize,
    /// The largest body that a request for a part of it has made as a whole.
    pub(crate) range_fetch: usize,
    pub(crate) body_timeout: Duration,
    /// Whether it is a private cache: of a client, for its own requests.
    pub(crate) is_private: bool,
    /// The identity for which all requests of a private cache are made, if there is one for all.
    pub(crate) identity: Option<Arc<str>>,
    pub(crate) sort_query: bool,
    /// Whether `No-Vary-Search` counts.
    pub(crate) no_vary_search: bool,
    pub(crate) stores_set_cookie: bool,
    pub(crate) ignores_cookie: bool,
    /// Whether the directives and conditions of requests count.
    pub(crate) honors_requests: bool,
    /// Whether `stale-while-revalidate` and `stale-if-error` count beside `s-maxage`.
    pub(crate) extends_s_maxage: bool,
    pub(crate) keys: Vec<KeyOf>,
    pub(crate) key_headers: Vec<HeaderName>,
    pub(crate) ignored_headers: Vec<HeaderName>,
    pub(crate) public_under: Vec<String>,
    pub(crate) skips: Vec<Predicate>,
    pub(crate) tags: Vec<TagTemplate>,
    /// The headers in which tags are sent on.
    pub(crate) sent_tags: Vec<HeaderName>,
    pub(crate) on_purge: Vec<OnPurge>,
    pub(crate) on_soft_purge: Vec<OnPurge>,
    /// Which requests with the method `PURGE` are obeyed; none are without it.
    pub(crate) may_purge: Option<Predicate>,
    #[cfg(feature = "actix")]
    pub(crate) extensions: Vec<CopyExtension>,
}

impl Config {
    pub(crate) fn new(given: Arc<dyn Cache>) -> Self {
        const CAPACITY: u64 = 64 << 20;
        let mut config = Self {
            cache: given.clone(),
            given,
            capacity: None,
            clock: None,
            ahead: Arc::default(),
            name: "larder".into(),
            accel_expires: false,
            disconnect_grace: Duration::from_secs(30),
            max_detached: 1024,
            trusts_proxy: false,
            ignores_scheme: false,
            selecting: Arc::default(),
            max_variants: 100,
            vary: Vec::new(),
            targeted: targeted::default_fields(),
            has_own_field: true,
            ttl: None,
            ttls_under: Vec::new(),
            heuristic: false,
            keep_stale: Duration::from_secs(10 * 60),
            stale_if_error: status_code::STALE_IF_ERROR.to_vec(),
            max_body: 1 << 20,
            range_fetch: usize::MAX,
            body_timeout: Duration::from_secs(10),
            is_private: false,
            identity: None,
            sort_query: false,
            no_vary_search: false,
            stores_set_cookie: false,
            ignores_cookie: false,
            honors_requests: true,
            extends_s_maxage: false,
            keys: Vec::new(),
            key_headers: Vec::new(),
            ignored_headers: Vec::new(),
            public_under: Vec::new(),
            skips: Vec::new(),
            tags: Vec::new(),
            sent_tags: Vec::new(),
            on_purge: Vec::new(),
            on_soft_purge: Vec::new(),
            may_purge: None,
            #[cfg(feature = "actix")]
            extensions: Vec::new(),
        };
        config.set_capacity(CAPACITY);
        config
    }

    /// Gives responses a memory of their own with so many bytes, if the given cache can have one.
    pub(crate) fn set_capacity(&mut self, bytes: u64) {
        let memory = MemoryCache::builder().capacity(bytes).weigher(weigh);
        (self.cache, self.capacity) = match self.given.with_memory(memory) {
            Some(cache) => (cache, Some(bytes)),
            None => (self.given.clone(), None),
        };
    }

    /// Stores responses in the memory of the given cache.
    pub(crate) fn share_memory(&mut self) {
        (self.cache, self.capacity) = (self.given.clone(), None);
    }

    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
        self.ahead = Arc::default();
        self.shared_now();
    }

    /// The time by this process' clock.
    pub(crate) fn now(&self) -> Millis {
        millis(self.clock.as_ref().map_or_else(SystemTime::now, |clock| clock()))
    }

    /// The same by the clock that is never set; none if the user gave the clock.
    pub(crate) fn instant(&self) -> Option<Instant> {
        self.clock.is_none().then(Instant::now)
    }

    /// The time by the clock that all processes with these responses share, if there is one: so a response has the same
    /// age for all of them.
    pub(crate) fn shared_now(&self) -> Millis {
        self.shared_at(self.now())
    }

    /// The same, at a time that was just read from this process' clock.
    pub(crate) fn shared_at(&self, now: Millis) -> Millis {
        const MINUTE: i64 = 60_000;
        let servers = || self.cache.server_time().map(millis);
        if self.clock.is_none() {
            return servers().unwrap_or(now);
        }
        let ahead = self.ahead.get().copied().or_else(|| {
            let ahead = i64::try_from(servers()?).ok()?.checked_sub_unsigned(now)?;
            // To the minute: the clocks of tests stand still, and two nodes do not read the servers' clock at one moment.
            let minutes = ahead.saturating_add(MINUTE / 2).div_euclid(MINUTE);
            Some(*self.ahead.get_or_init(|| minutes.saturating_mul(MINUTE)))
        });
        now.saturating_add_signed(ahead.unwrap_or_default())
    }

    /// The headers that are removed from a request whose directives and conditions do not count.
    pub(crate) fn removed_headers(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        let is_removed = |name: &&HeaderName| {
            ORIGIN_CONDITIONS.contains(*name)
                || RANGE_HEADERS.contains(*name)
                || (!self.trusts_proxy && request_headers::changes_links(name, headers))
        };
        headers.keys().filter(is_removed).cloned().collect()
    }

    pub(crate) fn set_targeted(&mut self, fields: Vec<HeaderName>) {
        self.has_own_field = fields.contains(&OWN_FIELD);
        self.targeted = fields;
    }

    /// Removes the field that is for this cache only.
    pub(crate) fn remove_own_field(&self, headers: &mut HeaderMap) {
        if self.has_own_field {
            headers.remove(&OWN_FIELD);
        }
    }

    /// Whether responses have a memory of their own, in which this process can see what is stored.
    pub(crate) fn has_memory(&self) -> bool {
        self.capacity.is_some()
    }

    /// The most memory that a stored response may take, in bytes.
    pub(crate) fn max_response(&self) -> usize {
        self.capacity.map_or(usize::MAX, |capacity| usize::try_from(capacity / 10).unwrap_or(usize::MAX))
    }

    /// The largest body that is stored, in bytes.
    pub(crate) fn max_stored_body(&self) -> usize {
        self.max_body.min(self.max_response())
    }

    /// The largest body that is stored for a request for a part of it, in bytes.
    pub(crate) fn max_range_fetch(&self) -> usize {
        self.max_stored_body().min(self.range_fetch)
    }

    /// The configured lifetime of responses of a path.
    pub(crate) fn ttl_of(&self, path: &str) -> Option<Duration> {
        let under = self.ttls_under.iter().find(|(prefix, _)| is_under(path, prefix));
        under.map(|&(_, ttl)| ttl).or(self.ttl)
    }

    #[cfg(feature = "actix")]
    pub(crate) fn copy_extensions(&self, from: &actix_http::Extensions, to: &mut http::Extensions) {
        self.extensions.iter().for_each(|copy| copy(from, to));
    }

    /// Whether responses of a path are configured to be public.
    pub(crate) fn is_public(&self, path: &str) -> bool {
        self.public_under.iter().any(|prefix| is_under(path, prefix))
    }

    /// Whether the user adds something to the keys of requests.
    pub(crate) fn adds_to_keys(&self) -> bool {
        !self.keys.is_empty() || !self.key_headers.is_empty()
    }

    /// What the user adds to the key of a request.
    pub(crate) fn key_parts(&self, request: &Parts) -> Vec<String> {
        self.keys.iter().map(|key| key(request)).collect()
    }

    /// The headers of a request that may identify its client.
    pub(crate) fn possibly_identifying(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        if self.identity.is_some() {
            return Vec::new();
        }
        request_headers::possibly_identifying(headers, |name| {
            (self.ignores_cookie && *name == header::COOKIE) || self.ignored_headers.contains(name)
        })
    }

    /// The headers whose values are in the key: the configured ones, and those `possibly_identifying` ones whose whole
    /// value is one of the `key_parts`. (A part that is made from a header in another way need not tell apart what
    /// handlers tell apart.) In a private cache, all `possibly_identifying` ones: each identity has responses of its own.
    pub(crate) fn key_headers(
        &self,
        headers: &HeaderMap,
        possibly_identifying: &[HeaderName],
        key_parts: &[String],
    ) -> Vec<HeaderName> {
        let is_part = |name: &&HeaderName| {
            let mut lines = headers.get_all(*name).iter();
            match (lines.next(), lines.next()) {
                _ if self.is_private => true,
                (Some(only), None) => key_parts.iter().any(|part| part.as_bytes() == only.as_bytes()),
                _ => false,
            }
        };
        let mut names = self.key_headers.clone();
        names.extend(possibly_identifying.iter().filter(is_part).cloned());
        names
    }

    /// Whether a private cache cannot tell for whom a request is made: nothing is declared about that, and the request has
    /// no credentials in its key. What is between the cache and the network may add some.
    pub(crate) fn is_unidentified(&self, headers: &HeaderMap, in_key: &[HeaderName]) -> bool {
        let is_in_key =
            |name: &HeaderName| request_headers::is_credential(name) && headers.contains_key(name);
        self.is_private && self.identity.is_none() && !in_key.iter().any(is_in_key)
    }

    pub(crate) fn skips(&self, request: &Parts) -> bool {
        self.skips.iter().any(|skip| skip(request))
    }
}

/// Whether a path is `prefix`, or under it.
fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
