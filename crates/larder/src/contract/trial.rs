//! A cache under examination, and what is done with it in every part of the suite.

use std::{
    fmt::Display,
    future::Future,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{Cache, CacheExt, Policy, Value};

/// How long something may take that is to happen soon.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// A cache under examination, and keys of its own.
pub(super) struct Trial {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) part: &'static str,
    /// What all keys and tags of this trial begin with.
    pub(super) own: String,
}

impl Trial {
    pub(super) fn new(cache: Arc<dyn Cache>, part: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { cache, part, own: format!("contract-{:x}-{number}", fastrand::u64(..)) }
    }

    pub(super) fn key(&self, name: impl Display) -> String {
        format!("{}:{name}", self.own)
    }

    pub(super) fn tag(&self, name: impl Display) -> String {
        format!("{} {name}", self.own)
    }

    pub(super) fn require(&self, holds: bool, otherwise: impl Display) {
        if !holds {
            violated(self.part, otherwise);
        }
    }

    /// The value under a key; reading one is no mistake, and so no error.
    pub(super) async fn get<V: Value>(&self, cache: &impl Cache, key: &str) -> Option<V> {
        match cache.get(key).await {
            Ok(found) => found,
            Err(error) => violated(self.part, format_args!("`get` fails: {error} (clause 4)")),
        }
    }

    /// Stores a value until the cache has it.
    pub(super) async fn keep<V: Value + PartialEq>(&self, key: &str, value: &V, policy: &Policy) {
        let start = Instant::now();
        loop {
            if let Err(error) = self.cache.insert(key, value, policy).await {
                violated(self.part, format_args!("`insert` fails: {error} (clause 4)"));
            }
            match self.get::<V>(&self.cache, key).await {
                Some(found) if found == *value => return,
                Some(_) => violated(self.part, format_args!("{key:?} gives what was not stored (clause 2)")),
                None => self.require(start.elapsed() < SOON, "nothing is ever kept"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until something is so.
    pub(super) async fn eventually<F: Future<Output = bool>>(
        &self,
        mut is_so: impl FnMut() -> F,
        otherwise: &str,
    ) {
        let start = Instant::now();
        while !is_so().await {
            self.require(start.elapsed() < SOON, otherwise);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Longer than the suite takes.
pub(super) static LONG: Policy = Policy::ttl(Duration::from_secs(3_600));

#[track_caller]
pub(super) fn violated(part: &str, what: impl Display) -> ! {
    let place = Location::caller();
    panic!("not a `Cache` as the contract wants it: {part}: {what} [{place}]")
}
