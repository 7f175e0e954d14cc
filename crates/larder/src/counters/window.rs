//! Windows of time, and who is asked for a tally.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use crate::{
    cache::Cache,
    error::{Kind, Result},
    key,
    tally::{Tallied, Tally, window_at},
};

/// Windows of one length, and how many of them are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) length: Duration,
    pub(super) kept: u32,
}

impl Windows {
    /// Whole milliseconds, and at least one.
    pub(super) fn new(length: Duration) -> Self {
        Self { length: Duration::from_millis(milliseconds(length)), kept: 1 }
    }

    /// The number of the window that is now, less `ago`.
    pub(super) fn number(&self, cache: &dyn Cache, ago: u32) -> u64 {
        window_at(now(cache), self.length).saturating_sub(u64::from(ago))
    }

    /// What of a name tells a window from others.
    pub(super) fn suffix(&self, number: u64) -> String {
        format!("@{}:{number}", self.length.as_millis())
    }

    /// How long one is kept from its first increment on: it may be the first thing in it, and clocks may differ a little.
    pub(super) fn ttl(&self) -> Duration {
        self.length.saturating_mul(self.kept.saturating_add(1))
    }
}

/// The name of what is counted under a key, in a window or without one. A key that ends like a window is marked, so that
/// no other name is the same.
pub(super) fn name(key: &str, window: Option<String>) -> String {
    match window {
        Some(window) => [key, &window].concat(),
        None if ends_like_a_window(key) => [key, "@"].concat(),
        None => key.to_owned(),
    }
}

/// Marked or not.
fn ends_like_a_window(key: &str) -> bool {
    let numbers = key.trim_end_matches('@').rsplit_once('@').and_then(|(_, numbers)| numbers.split_once(':'));
    numbers.is_some_and(|(length, number)| is_number(length) && is_number(number))
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|symbol| symbol.is_ascii_digit())
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// By the server's clock where there is one, so that all processes are in one window.
fn now(cache: &dyn Cache) -> SystemTime {
    let shared = cache.storage().shared().and_then(|shared| shared.server_time());
    shared.unwrap_or_else(|| cache.core().system_time())
}

/// Asks the server, where there is one that can.
pub(super) async fn ask(cache: &dyn Cache, tally: Tally<'_>) -> Result<Tallied> {
    let shared = match cache.storage().shared() {
        Some(shared) => shared.tally(tally).await?,
        None => None,
    };
    match shared {
        Some(tallied) => Ok(tallied),
        None => cache.core().tallies().tally(tally, cache.core().now()),
    }
}

/// The full key of a handle, if it may be one.
pub(super) fn full_key<'k>(cache: &dyn Cache, key: &'k str) -> Result<Cow<'k, str>> {
    let key = match cache.prefix() {
        "" => Cow::Borrowed(key),
        prefix => Cow::Owned([prefix, key].concat()),
    };
    key::check(&key)?;
    Ok(key)
}

/// The error of a storage that answers something else.
pub(super) fn other_answer() -> crate::Error {
    Kind::unavailable("the store of the counters gave another answer".to_owned()).into()
}
