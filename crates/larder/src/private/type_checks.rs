//! One error for a type that does not fit: no cache, or a value that cannot be cached.
//!
//! A `check` does not compile; after it, what does not fit is replaced by something that fits everywhere, so that
//! there is no second error. As in [`output_kind`](super::output_kind), the first choice is the one whose bounds hold.

use std::{convert::Infallible, marker::PhantomData};

use crate::{
    cache::Cache,
    cache_core::Site,
    key::Key,
    policy::Policy,
    private::{
        call::Call,
        call_flags::How,
        output_kind::{Fallible, Plain},
        terms::Terms,
    },
    value::{LocalValue, Value},
};

/// Complains of what is no cache.
#[inline]
pub fn check_cache<C: Cache + ?Sized>(_: &C) {}

/// What `cache = …` names: a cache, if there is no mistake.
#[derive(Debug)]
pub struct MaybeCache<'c, C: ?Sized>(pub &'c C);

/// The first choice for a [`MaybeCache`].
pub trait ACache<'c> {
    /// The cache's type.
    type Cache: Cache + ?Sized;

    /// The cache.
    fn cache(&self) -> &'c Self::Cache;
}

impl<'c, C: Cache + ?Sized> ACache<'c> for MaybeCache<'c, C> {
    type Cache = C;

    #[inline]
    fn cache(&self) -> &'c C {
        self.0
    }
}

/// The second choice, one reference further.
pub trait NoCache {
    /// Does not return.
    fn cache(&self) -> &'static dyn Cache;
}

impl<C: ?Sized> NoCache for &MaybeCache<'_, C> {
    fn cache(&self) -> &'static dyn Cache {
        unreachable!("a call of `check_cache` that does not compile comes first")
    }
}

impl<T, E, S> Fallible<T, E, S> {
    /// Complains of a value that cannot be cached.
    #[inline]
    pub fn check(&self)
    where
        T: Value,
    {
    }
}

impl<R> Plain<R> {
    /// Complains of a value that cannot be cached.
    #[inline]
    pub fn check(&self)
    where
        R: Value,
    {
    }
}

impl<T, E, S> Fallible<T, E, S> {
    /// Complains of a value that cannot be kept in this process.
    #[inline]
    pub fn check_local(&self)
    where
        T: LocalValue,
    {
    }
}

impl<R> Plain<R> {
    /// Complains of a value that cannot be kept in this process.
    #[inline]
    pub fn check_local(&self)
    where
        R: LocalValue,
    {
    }
}

/// The first choice for a kind of output.
pub trait Cacheable {
    /// The kind.
    type Kind;

    /// The kind.
    fn checked(&self) -> Self::Kind;
}

impl<T: Value, E, S: Copy> Cacheable for Fallible<T, E, S> {
    type Kind = Self;

    #[inline]
    fn checked(&self) -> Self {
        *self
    }
}

impl<R: Value> Cacheable for Plain<R> {
    type Kind = Self;

    #[inline]
    fn checked(&self) -> Self {
        *self
    }
}

/// The second choice, one reference further.
pub trait Uncacheable {
    /// The output.
    type Output;

    /// Does not return.
    fn checked(&self) -> Nothing<Self::Output> {
        unreachable!("a call of `check` that does not compile comes first")
    }
}

impl<T, E, S> Uncacheable for &Fallible<T, E, S> {
    type Output = Result<T, E>;
}

impl<R> Uncacheable for &Plain<R> {
    type Output = R;
}

/// The first choice for a kind of output whose values stay in this process.
pub trait CacheableHere {
    /// The kind.
    type Kind;

    /// The kind.
    fn checked_local(&self) -> Self::Kind;
}

impl<T: LocalValue, E, S: Copy> CacheableHere for Fallible<T, E, S> {
    type Kind = Self;

    #[inline]
    fn checked_local(&self) -> Self {
        *self
    }
}

impl<R: LocalValue> CacheableHere for Plain<R> {
    type Kind = Self;

    #[inline]
    fn checked_local(&self) -> Self {
        *self
    }
}

/// The second choice, one reference further.
pub trait UncacheableHere {
    /// The output.
    type Output;

    /// Does not return.
    fn checked_local(&self) -> Nothing<Self::Output> {
        unreachable!("a call of `check_local` that does not compile comes first")
    }
}

impl<T, E, S> UncacheableHere for &Fallible<T, E, S> {
    type Output = Result<T, E>;
}

impl<R> UncacheableHere for &Plain<R> {
    type Output = R;
}

/// The kind of an output that cannot be cached: it has what the others have, and demands nothing.
#[derive(Debug)]
pub struct Nothing<R>(Infallible, PhantomData<fn() -> R>);

impl<R> Clone for Nothing<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Nothing<R> {}

impl<R> Nothing<R> {
    /// Does not return.
    pub(super) fn never<X>(self) -> X {
        match self.0 {}
    }

    /// As [`Fallible::share_err`].
    #[must_use]
    pub fn share_err<F>(self, _: F) -> Self {
        self
    }

    /// As [`Fallible::keep_err`].
    #[must_use]
    pub fn keep_err<F>(self, _: F) -> Self {
        self
    }

    /// As [`Fallible::keep_err_local`].
    #[must_use]
    pub fn keep_err_local<F>(self, _: F) -> Self {
        self
    }

    /// As [`Fallible::times_out`].
    #[must_use]
    pub fn times_out(self) -> Self {
        self
    }

    /// As [`Fallible::times_out_or`].
    #[must_use]
    pub fn times_out_or(self) -> Self {
        self
    }

    /// As [`Plain::may_be_late`].
    pub fn may_be_late<F>(self, _: F) -> F {
        match self.0 {}
    }

    /// As [`Plain::start_may_be_late`].
    pub fn start_may_be_late<F>(self, _: F) -> F {
        match self.0 {}
    }

    /// As [`Plain::or_late`].
    pub fn or_late<F>(self, _: R, _: F) -> R {
        match self.0 {}
    }

    /// As [`Fallible::or`].
    pub fn or<F>(self, _: R, _: F) -> R {
        match self.0 {}
    }

    /// As [`Fallible::begin`].
    ///
    /// # Errors
    ///
    /// None: nothing calls it.
    pub fn begin<'c, C: ?Sized>(
        self,
        _: &'c C,
        _: Site,
        _: How,
        _: impl FnOnce(&mut Key),
    ) -> Result<R, Call<'c, C>> {
        match self.0 {}
    }

    /// As [`Fallible::terms`].
    pub fn terms(self, _: Policy) -> Terms {
        match self.0 {}
    }

    /// As [`Fallible::terms_local`].
    pub fn terms_local(self, _: Policy) -> Terms {
        match self.0 {}
    }

    /// As [`Fallible::compute`].
    pub async fn compute<C: ?Sized, F>(self, _: Call<'_, C>, _: Terms, _: F) -> R {
        match self.0 {}
    }

    /// As [`Fallible::compute_blocking`].
    pub fn compute_blocking<C: ?Sized>(self, _: Call<'_, C>, _: Policy, _: impl FnOnce() -> R) -> R {
        match self.0 {}
    }

    /// As [`Fallible::compute_background`].
    pub async fn compute_background<C: ?Sized, F>(
        self,
        _: Call<'_, C>,
        _: Terms,
        _: impl FnOnce() -> F,
    ) -> R {
        match self.0 {}
    }

    /// As [`Fallible::value`].
    pub fn value(self, _: &R) -> Option<&()> {
        match self.0 {}
    }

    /// As [`Fallible::unless`].
    pub fn unless<F>(self, _: &R, _: F) {
        match self.0 {}
    }
}
