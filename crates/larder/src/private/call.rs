//! One call of a cached function.

use crate::{
    cache::{Cache, Invalidating},
    key::Key,
    read_through::{self, Missed},
    scope::Scope,
    value::LocalValue,
};

/// One call of a cached function: the cache, and the full key.
#[derive(Debug)]
pub struct Call<'c, C: ?Sized> {
    cache: &'c C,
    key: String,
    /// Whether a part of the key had no text: it is that of no entry.
    failed: bool,
    /// Computes anew, whatever the cache has.
    refreshing: bool,
    missed: Missed,
}

impl<'c, C: Cache + ?Sized> Call<'c, C> {
    /// With the key that `build` writes.
    pub fn new(cache: &'c C, build: impl FnOnce(&mut Key)) -> Self {
        let mut key = Key::default();
        key.literal(cache.prefix());
        build(&mut key);
        Self::after(cache, &key, false, None)
    }

    /// The value of a hit, or else the call, to go on with. Without `look`, the call is one that refreshes.
    ///
    /// This is all that a hit runs through: the key stays on the stack, and is not even moved.
    #[inline]
    pub(super) fn begin<V: LocalValue>(
        cache: &'c C,
        look: bool,
        build: impl FnOnce(&mut Key),
    ) -> Result<V, Self> {
        let mut key = Key::default();
        if !cache.prefix().is_empty() {
            key.literal(cache.prefix());
        }
        build(&mut key);
        if look && !key.failed() {
            read_through::look(cache, key.as_str())
                .map_err(|missed| Self::after(cache, &key, false, Some(missed)))
        } else {
            Err(Self::after(cache, &key, !look, None))
        }
    }

    #[inline(never)]
    fn after(cache: &'c C, key: &Key, refreshing: bool, missed: Option<Missed>) -> Self {
        let missed = missed.unwrap_or_else(|| Missed::without_lookup(cache.core(), key.as_str()));
        Self { cache, key: key.as_str().to_owned(), failed: key.failed(), refreshing, missed }
    }

    /// The full key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The full key.
    #[must_use]
    pub fn into_key(self) -> String {
        self.key
    }

    /// Invalidates the key.
    pub fn invalidate(self) -> Invalidating {
        self.cache.storage().apply(&[Scope::key(self.key)])
    }

    /// Whether it computes anew, whatever the cache has.
    pub(super) fn is_refreshing(&self) -> bool {
        self.refreshing
    }

    /// What the lookup found.
    pub(super) fn missed(&self) -> Missed {
        self.missed.clone()
    }

    /// The cache, and the key: one that is refused if a part of it had no text.
    pub(super) fn at(&self) -> (&'c C, &str) {
        (self.cache, if self.failed { "" } else { &self.key })
    }
}
