//! What follows from the user's decisions, request by request.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header, request::Parts};

use super::Config;
use crate::{
    additions,
    conditional::FOR_THE_HANDLER,
    date::{Millis, millis},
    harmless,
};

impl Config {
    /// By this process' clock.
    pub(crate) fn now(&self) -> Millis {
        millis(self.clock.as_ref().map_or_else(SystemTime::now, |clock| clock()))
    }

    /// By the clock that all processes with these pages share, if there is one: a page that one of them made is as old
    /// for the others.
    pub(crate) fn shared_now(&self) -> Millis {
        const MINUTE: i64 = 60_000;
        let servers = || self.cache.server_time().map(millis);
        if self.clock.is_none() {
            return servers().unwrap_or_else(|| self.now());
        }
        let now = self.now();
        let ahead = self.ahead.get().copied().or_else(|| {
            let ahead = i64::try_from(servers()?).ok()?.checked_sub_unsigned(now)?;
            // To the minute: clocks of tests stand still, and the first looks of two nodes are not at one moment.
            let minutes = ahead.saturating_add(MINUTE / 2).div_euclid(MINUTE);
            Some(*self.ahead.get_or_init(|| minutes.saturating_mul(MINUTE)))
        });
        now.saturating_add_signed(ahead.unwrap_or_default())
    }

    /// The headers of a request that its handler does not see where clients decide nothing.
    pub(crate) fn without(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        let is_removed = |name: &&HeaderName| {
            FOR_THE_HANDLER.contains(*name) || (!self.trusts_proxy && additions::steers(name, headers))
        };
        headers.keys().filter(is_removed).cloned().collect()
    }

    /// Whether pages are in memory here, of which it can be seen what is kept.
    pub(crate) fn has_memory(&self) -> bool {
        self.capacity.is_some()
    }

    /// The most that a page may take, in bytes.
    pub(crate) fn largest_page(&self) -> usize {
        self.capacity.map_or(usize::MAX, |capacity| usize::try_from(capacity / 10).unwrap_or(usize::MAX))
    }

    /// The largest body that is stored.
    pub(crate) fn largest_body(&self) -> usize {
        self.max_body.min(self.largest_page())
    }

    /// What the user said about the freshness of responses under this path.
    pub(crate) fn ttl_of(&self, path: &str) -> Option<Duration> {
        let under = self.ttls_under.iter().find(|(prefix, _)| is_under(path, prefix));
        under.map(|&(_, ttl)| ttl).or(self.ttl)
    }

    #[cfg(feature = "actix")]
    pub(crate) fn carry(&self, from: &actix_http::Extensions, to: &mut http::Extensions) {
        self.carried.iter().for_each(|carry| carry(from, to));
    }

    /// Whether the user said that responses of this path are for everybody.
    pub(crate) fn is_public(&self, path: &str) -> bool {
        self.public_under.iter().any(|prefix| is_under(path, prefix))
    }

    pub(crate) fn additions(&self, request: &Parts) -> Vec<String> {
        self.keys.iter().map(|key| key(request)).collect()
    }

    /// The headers of a request that may say who asks.
    pub(crate) fn unknown_headers(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        harmless::unknown(headers, |name| {
            let ignored = self.cookies.ignores_cookie && *name == header::COOKIE;
            ignored || self.harmless_headers.contains(name)
        })
    }

    /// The headers whose values are in the key: those that the user named, and of the `unknown` ones those that an
    /// addition to the key repeats word by word. (What an addition makes of a header otherwise need not tell apart
    /// what handlers do.)
    pub(crate) fn key_headers(
        &self,
        headers: &HeaderMap,
        unknown: &[HeaderName],
        additions: &[String],
    ) -> Vec<HeaderName> {
        let is_added = |name: &&HeaderName| {
            let mut lines = headers.get_all(*name).iter();
            match (lines.next(), lines.next()) {
                (Some(only), None) => additions.iter().any(|addition| addition.as_bytes() == only.as_bytes()),
                _ => false,
            }
        };
        let mut names = self.key_headers.clone();
        names.extend(unknown.iter().filter(is_added).cloned());
        names
    }

    pub(crate) fn skips(&self, request: &Parts) -> bool {
        self.skips.iter().any(|skip| skip(request))
    }
}

/// Whether a path is `prefix`, or under it.
fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
