//! One call of a cached function.

use std::{any::type_name, sync::Arc};

use super::call_flags::How;
use crate::{
    cache::{Cache, Strength},
    cache_core::Site,
    deferred,
    key::Key,
    outcome::Observer,
    read_through::{self, Missed},
    scope::Scope,
    value::LocalValue,
};

/// One call of a cached function: the cache, and the full key.
#[derive(Debug)]
pub struct Call<'c, C: ?Sized> {
    cache: &'c C,
    key: Arc<str>,
    /// Whether it goes without the cache: a part of the key had no text, or another function has the key.
    failed: bool,
    /// Computes anew, whatever the cache has.
    refreshing: bool,
    missed: Missed,
    /// The name of a type in the function.
    function: &'static str,
}

impl<'c, C: Cache + ?Sized> Call<'c, C> {
    /// The value of a hit, or else the call, to go on with.
    ///
    /// This is all that a plain hit runs through: the key stays on the stack, and is not even moved.
    #[inline]
    pub(super) fn begin<V: LocalValue, B: FnOnce(&mut Key)>(
        cache: &'c C,
        site: Site,
        how: How,
        build: B,
    ) -> Result<V, Self> {
        let function = type_name::<B>();
        let mut key = Key::default();
        let prefix = cache.prefix();
        if !prefix.is_empty() {
            key.literal(prefix);
        }
        build(&mut key);
        let core = cache.core();
        let admitted = core.has_admitted::<V>(prefix, site) || core.admit::<V>(prefix, site.copied());
        if how == How::Plain && admitted && !key.failed() {
            // The only call of it here, so that it is no call at all.
            return read_through::look(cache, &key)
                .map_err(|missed| Self::after(cache, &key, false, Some(missed), function));
        }
        Self::begin_otherwise(cache, &key, (how, admitted), function)
    }

    /// A call that refreshes, notes its outcome, or goes without the cache.
    #[cold]
    fn begin_otherwise<V: LocalValue>(
        cache: &'c C,
        key: &Key,
        (how, admitted): (How, bool),
        function: &'static str,
    ) -> Result<V, Self> {
        let mut missed = None;
        if how == How::Observed {
            let observer = Observer::take_current();
            missed = Some(match admitted && !key.failed() {
                true => match read_through::look_observed(cache, key.as_str(), observer) {
                    Ok(value) => return Ok(value),
                    Err(missed) => missed,
                },
                false => Missed::without_lookup(cache.core(), key.as_str()).observed(observer),
            });
        }
        let call = Self::after(cache, key, how.is_refresh(), missed, function);
        if how.is_refresh() {
            // In a transaction it stores nothing, and what it replaces is not served after the commit.
            deferred::collect(cache, &[Scope::key(key.as_str())], Strength::Hard);
        }
        Err(Self { failed: call.failed || !admitted, ..call })
    }

    #[inline(never)]
    fn after(
        cache: &'c C,
        key: &Key,
        refreshing: bool,
        missed: Option<Missed>,
        function: &'static str,
    ) -> Self {
        let missed = missed.unwrap_or_else(|| Missed::without_lookup(cache.core(), key.as_str()));
        Self { cache, key: key.as_str().into(), failed: key.failed(), refreshing, missed, function }
    }

    /// Whether it computes anew, whatever the cache has.
    pub(super) fn is_refreshing(&self) -> bool {
        self.refreshing
    }

    /// The name of a type in the function, by which it is counted apart.
    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    /// The cache, and the key: one that is refused if a part of it had no text. And what the lookup found.
    pub(super) fn into_parts(self) -> ((&'c C, Arc<str>), Missed) {
        ((self.cache, if self.failed { "".into() } else { self.key }), self.missed)
    }
}
