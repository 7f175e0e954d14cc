//! Cached functions that `#[invalidate]` names: what each keeps, and one error where there is nothing to ask.

use std::sync::Arc;

use crate::{
    cache::{Cache, Invalidating, Strength},
    deferred,
    key::Key,
    registry::global,
    scope::Scope,
};

/// What a cached function keeps for one call or for all of them, and in which cache.
pub struct Target {
    pub(super) cache: Arc<dyn Cache>,
    /// The full key, or what all keys begin with.
    text: String,
    /// None if the call has no key that could be that of an entry.
    pub(super) scope: Option<Scope>,
}

impl Target {
    /// The key of one call.
    pub fn of_key(cache: &(impl Cache + ?Sized), build: impl FnOnce(&mut Key)) -> Self {
        Self::of(cache, build, |text| Scope::key(text))
    }

    /// All keys of a function, which begin with the text, and that ends in `:`.
    pub fn of_prefix(cache: &(impl Cache + ?Sized), build: impl FnOnce(&mut Key)) -> Self {
        Self::of(cache, build, |text| Scope::prefix(text))
    }

    /// [`of_key`](Self::of_key), in the global cache.
    pub fn key(build: impl FnOnce(&mut Key)) -> Self {
        Self::of_key(global(), build)
    }

    /// [`of_prefix`](Self::of_prefix), in the global cache.
    pub fn prefix(build: impl FnOnce(&mut Key)) -> Self {
        Self::of_prefix(global(), build)
    }

    fn of(
        cache: &(impl Cache + ?Sized),
        build: impl FnOnce(&mut Key),
        scope: impl FnOnce(&str) -> Scope,
    ) -> Self {
        let mut text = Key::default();
        text.literal(cache.prefix());
        build(&mut text);
        let scope = (!text.failed()).then(|| scope(text.as_str()));
        Self { cache: cache.share(), text: text.into_string(), scope }
    }

    /// The full key.
    #[must_use]
    pub fn into_key(self) -> String {
        self.text
    }

    /// Invalidates it.
    pub fn invalidate(self) -> Invalidating {
        self.apply(Strength::Hard)
    }

    /// Marks it stale.
    pub fn mark_stale(self) -> Invalidating {
        self.apply(Strength::Soft)
    }

    fn apply(self, strength: Strength) -> Invalidating {
        let scopes: Vec<_> = self.scope.into_iter().collect();
        deferred::invalidate(&*self.cache, &scopes, strength)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// In the place of a [`Target`]: all keys of a function that have no text in common which a prefix could cover.
#[derive(Debug)]
pub struct NoPrefix;

impl NoPrefix {
    /// Of a function with this cache.
    #[must_use]
    pub fn of<C: ?Sized>(_: &C) -> Self {
        Self
    }
}

/// What `#[invalidate]` can drop.
#[diagnostic::on_unimplemented(
    message = "the keys of this function have no prefix of their own, so that `..` cannot stand for all of them",
    label = "its keys do not begin with text that ends in `:`",
    note = "begin its `key` with such text, as in `key = \"report:<month>\"`; or give the function a tag, \
            `tags = [\"reports\"]`, and write `#[invalidate(tags = [\"reports\"])]`"
)]
pub trait ToInvalidate {
    /// What it is.
    fn target(self) -> Target;
}

impl ToInvalidate for Target {
    fn target(self) -> Target {
        self
    }
}

/// What has the companions of a cached function: nothing, for these are found before this is looked at.
#[diagnostic::on_unimplemented(
    message = "there is no cached function of this name that can be named in `#[invalidate]`",
    label = "not under `#[cached]`, or without companions",
    note = "a free function needs `#[cached(…)]` without `companions = false`; a method, or a function in an `impl`, needs \
            `#[cached(…, companions)]`",
    note = "anything else is named by its key: `#[invalidate(\"user:<id>\")]`"
)]
pub trait CachedWithCompanions {}

/// Stands in for the companions of a function that has none.
#[expect(non_camel_case_types, reason = "it has the name that generated code imports functions by")]
pub mod not_cached {
    use super::CachedWithCompanions;

    /// Where a function has companions, they hide it.
    #[derive(Debug)]
    pub struct __larder_function;

    /// What is looked for in it.
    pub trait NotCached {
        /// Is never found.
        fn __target() {}
        /// Is never found.
        fn __all() {}
    }

    impl<T: ?Sized + CachedWithCompanions> NotCached for T {}
}
