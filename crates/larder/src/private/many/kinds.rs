//! What a function of a list does beside its own body, by the kind of its output.

use std::{convert::Infallible, future::Future};

use super::{
    OfMany, Terms,
    call::{Many, compute, compute_background},
};
use crate::{
    cache::Cache,
    deadline::Within,
    error_sharing::{By, Sharing, Unshared},
    private::{
        infallible::AsFallible,
        list_output::ListElement,
        option_checks::FromTimedOut,
        output_kind::{Fallible, Plain},
    },
    read_through::Rules,
    value::LocalValue,
};

impl<T, E, S, I, V> OfMany<Fallible<T, E, S>, T, I, V> {
    fn with<S2>(self, sharing: S2) -> OfMany<Fallible<T, E, S2>, T, I, V> {
        OfMany { kind: Fallible::by(sharing), shape: self.shape }
    }

    /// As [`Fallible::share_err`].
    #[must_use]
    pub fn share_err<F>(self, share: F) -> OfMany<Fallible<T, E, By<F>>, T, I, V>
    where
        E: Send + 'static,
        F: Fn(&E) -> E + Copy + Send + Sync + 'static,
    {
        self.with(By(share))
    }

    /// As [`Fallible::times_out`].
    #[must_use]
    pub fn times_out(self) -> OfMany<Fallible<T, E, Within<S>>, T, I, V>
    where
        E: FromTimedOut,
        S: Copy,
    {
        let sharing = self.kind.0;
        self.with(Within(sharing))
    }

    /// Failures are shared only by a function that says how: they are those of whole batches.
    #[must_use]
    pub fn unshared(self) -> OfMany<Fallible<T, E, Unshared>, T, I, V> {
        self.with(Unshared)
    }
}

impl<T, E, S, I, V> OfMany<Fallible<T, E, S>, T, I, V>
where
    V: LocalValue,
    E: Send + 'static,
    S: Sharing<E>,
{
    /// The values of all elements, of which the body computes those that are missing. One that `unstored` picks out is not
    /// stored.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub async fn compute<C, F>(
        self,
        many: Many<'_, C, I>,
        terms: Terms,
        unstored: impl Fn(&V) -> bool,
        body: impl FnMut(Vec<I>) -> F,
    ) -> Result<T, E>
    where
        I: ListElement,
        C: Cache + ?Sized,
        F: Future<Output = Result<T, E>>,
    {
        compute(self.shape, many, terms, Rules { sharing: self.kind.0, unstored }, body).await
    }

    /// The same in a task of its own, which goes on when its callers are gone.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub async fn compute_background<C, B, F>(
        self,
        many: Many<'_, C, I>,
        terms: Terms,
        unstored: impl Fn(&V) -> bool + Send + 'static,
        start: impl FnOnce() -> B,
    ) -> Result<T, E>
    where
        T: 'static,
        I: ListElement + Send + Sync + 'static,
        C: Cache + ?Sized,
        B: FnMut(Vec<I>) -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        compute_background(self.shape, many, terms, Rules { sharing: self.kind.0, unstored }, start).await
    }
}

impl<R, I, V> OfMany<Plain<R>, R, I, V> {
    /// Unchanged: [`check_share_err`](crate::private::check_share_err) complains.
    #[must_use]
    pub fn share_err<F>(self, _: F) -> Self {
        self
    }

    /// Unchanged: [`check_deadline`](crate::private::check_deadline) complains.
    #[must_use]
    pub fn times_out(self) -> Self {
        self
    }

    /// Unchanged.
    #[must_use]
    pub fn unshared(self) -> Self {
        self
    }
}

impl<R, I, V> OfMany<Plain<R>, R, I, V>
where
    V: LocalValue,
{
    /// As where there are errors.
    pub async fn compute<C, F>(
        self,
        many: Many<'_, C, I>,
        terms: Terms,
        unstored: impl Fn(&V) -> bool,
        mut body: impl FnMut(Vec<I>) -> F,
    ) -> R
    where
        I: ListElement,
        C: Cache + ?Sized,
        F: Future<Output = R>,
    {
        let body = |missing| AsFallible::new(body(missing));
        let rules = Rules { sharing: Unshared, unstored };
        let Ok::<_, Infallible>(output) = compute(self.shape, many, terms, rules, body).await;
        output
    }

    /// The same in a task of its own.
    pub async fn compute_background<C, B, F>(
        self,
        many: Many<'_, C, I>,
        terms: Terms,
        unstored: impl Fn(&V) -> bool + Send + 'static,
        start: impl FnOnce() -> B,
    ) -> R
    where
        R: 'static,
        I: ListElement + Send + Sync + 'static,
        C: Cache + ?Sized,
        B: FnMut(Vec<I>) -> F + Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let start = || {
            let mut body = start();
            move |missing| AsFallible::new(body(missing))
        };
        let rules = Rules { sharing: Unshared, unstored };
        let Ok::<_, Infallible>(output) = compute_background(self.shape, many, terms, rules, start).await;
        output
    }
}
