//! What a cached function that returns no `Result` does beside its own body: as `Fallible`'s methods of the same names.

use std::{convert::Infallible, future::Future};

use super::{
    call::Call,
    call_flags::How,
    compute::{compute, compute_background, compute_blocking},
    infallible::{AsFallible, AsInfallible},
    output_kind::Plain,
    terms::Terms,
};
use crate::{
    cache::Cache,
    cache_core::Site,
    dependencies::context,
    error_sharing::Unshared,
    key::Key,
    policy::Policy,
    read_through::Wanted,
    value::{LocalValue, Value},
};

impl<R> Plain<R> {
    /// Unchanged: [`check_share_err`](super::check_share_err) complains.
    #[must_use]
    pub fn share_err<F>(self, _: F) -> Self {
        self
    }

    /// Unchanged: [`check_cache_err`](super::check_cache_err) complains.
    #[must_use]
    pub fn keep_err<F>(self, _: F) -> Self {
        self
    }

    /// Unchanged.
    #[must_use]
    pub fn keep_err_local<F>(self, _: F) -> Self {
        self
    }

    /// Unchanged: [`check_deadline`](super::check_deadline) complains.
    #[must_use]
    pub fn times_out(self) -> Self {
        self
    }

    /// Unchanged: [`check_deadline`](super::check_deadline) complains.
    #[must_use]
    pub fn times_out_or(self) -> Self {
        self
    }

    /// The body.
    pub fn may_be_late<F>(self, body: F) -> F {
        body
    }

    /// What starts it.
    pub fn start_may_be_late<F>(self, start: F) -> F {
        start
    }

    /// Unchanged: [`check_or`](super::check_or) complains.
    pub fn or<F>(self, output: R, _: F) -> R {
        output
    }

    /// Unchanged.
    pub fn or_late<F>(self, output: R, _: F) -> R {
        output
    }

    /// As `Fallible::begin`.
    ///
    /// # Errors
    ///
    /// If there is more to do.
    #[inline]
    pub fn begin<'c, C: Cache + ?Sized>(
        self,
        cache: &'c C,
        site: Site,
        how: How,
        build: impl FnOnce(&mut Key),
    ) -> Result<R, Call<'c, C>>
    where
        R: LocalValue,
    {
        Call::begin(cache, site, how, build)
    }

    /// As `Fallible::terms`.
    pub fn terms(self, policy: Policy) -> Terms
    where
        R: Value,
    {
        Terms::shared::<R>(policy)
    }

    /// As `Fallible::terms_local`.
    pub fn terms_local(self, policy: Policy) -> Terms
    where
        R: LocalValue,
    {
        Terms::local::<R>(policy)
    }

    /// As `Fallible::compute`.
    pub fn compute<C, F>(self, call: Call<'_, C>, terms: Terms, body: F) -> impl Future<Output = R>
    where
        C: Cache + ?Sized,
        R: LocalValue,
        F: Future<Output = R>,
    {
        AsInfallible::new(compute(call, terms, Unshared, AsFallible::new(body)))
    }

    /// As `Fallible::compute_background`.
    pub async fn compute_background<C, F>(
        self,
        call: Call<'_, C>,
        terms: Terms,
        start: impl FnOnce() -> F + Send,
    ) -> R
    where
        C: Cache + ?Sized,
        R: LocalValue,
        F: Future<Output = R> + Send + 'static,
    {
        let start = move || AsFallible::new(start());
        let Ok(value) = compute_background(call, terms, Unshared, start).await;
        value
    }

    /// As `Fallible::compute_blocking`.
    pub fn compute_blocking<C>(self, call: Call<'_, C>, policy: Policy, body: impl FnOnce() -> R) -> R
    where
        C: Cache + ?Sized,
        R: LocalValue,
    {
        let wanted = Wanted::blocking::<R>(&policy);
        let body = || Ok::<_, Infallible>(body());
        let Ok(value) = compute_blocking(call, (&policy, wanted), Unshared, body);
        value
    }

    /// The value in an output.
    pub fn value(self, output: &R) -> Option<&R> {
        Some(output)
    }

    /// As `Fallible::unless`.
    pub fn unless(self, output: &R, unstored: impl FnOnce(&R) -> bool) {
        if unstored(output) {
            context().no_store();
        }
    }
}
