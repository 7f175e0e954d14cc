//! What a cached function that returns a `Result` does beside its own body.
//!
//! The kinds' methods are no trait's: a trait's associated types inside a future would have to be proven
//! again, for any lifetime in an error such as `Box<dyn Error + Send + Sync>`, to see that the future is
//! `Send`, and rustc cannot do that.

use std::future::Future;

use super::{
    call::Call,
    call_flags::How,
    compute::{compute, compute_background, compute_blocking},
    option_checks::{FromTimedOut, KeptError, KeptErrorHere},
    output_kind::Fallible,
    terms::Terms,
};
use crate::{
    cache::Cache,
    cache_core::Site,
    deadline::{MayBeLate, OrLate, WithDefault, Within},
    dependencies::context,
    error_keeping::Keeping,
    error_sharing::{By, Sharing},
    key::Key,
    policy::Policy,
    read_through::Wanted,
    value::{LocalValue, Value},
};

impl<T, E, S> Fallible<T, E, S> {
    /// The same, with errors that `share` makes for those who waited.
    #[must_use]
    pub fn share_err<F>(self, share: F) -> Fallible<T, E, By<F>>
    where
        E: Send + 'static,
        F: Fn(&E) -> E + Copy + Send + Sync + 'static,
    {
        Fallible::by(By(share))
    }

    /// The same, keeping errors that are `chosen`: for all processes that are given values.
    ///
    /// What it gives says no more of `chosen` than is asked of it, so that one that does not fit is one error.
    #[must_use]
    pub fn keep_err<F>(
        self,
        chosen: F,
    ) -> Fallible<T, E, Keeping<S, impl Fn(&E) -> bool + Copy + Send + Sync + 'static>>
    where
        E: KeptError,
        F: Fn(&E) -> bool + Copy + Send + Sync + 'static,
    {
        Fallible::by(Keeping::shared(self.0, move |error: &E| chosen(error)))
    }

    /// The same, in this process.
    #[must_use]
    pub fn keep_err_local<F>(
        self,
        chosen: F,
    ) -> Fallible<T, E, Keeping<S, impl Fn(&E) -> bool + Copy + Send + Sync + 'static>>
    where
        E: KeptErrorHere,
        F: Fn(&E) -> bool + Copy + Send + Sync + 'static,
    {
        Fallible::by(Keeping::local(self.0, move |error: &E| chosen(error)))
    }

    /// The same, with an error for calls that are not answered by their deadline.
    #[must_use]
    pub fn times_out(self) -> Fallible<T, E, Within<S>>
    where
        E: FromTimedOut,
    {
        Fallible::by(Within(self.0))
    }

    /// The same, where a default takes the place of an error: for calls that are not answered by their deadline none is made.
    #[must_use]
    pub fn times_out_or(self) -> Fallible<T, OrLate<E>, WithDefault<S>> {
        Fallible::by(WithDefault(self.0))
    }

    /// The output, or a value in place of an error that is not kept.
    ///
    /// # Errors
    ///
    /// Those that are kept.
    pub fn or(self, output: Result<T, E>, default: impl FnOnce() -> T) -> Result<T, E>
    where
        S: Sharing<E>,
    {
        match output {
            Err(error) if self.0.keep(&error).is_none() => Ok(default()),
            output => output,
        }
    }

    /// The output of a hit that needs nothing but a look, or else the call, with the key that `build` writes. `how` says
    /// how the function is called.
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
    ) -> Result<Result<T, E>, Call<'c, C>>
    where
        T: LocalValue,
    {
        Call::begin(cache, site, how, build).map(Ok)
    }

    /// Under which terms the value is kept.
    pub fn terms(self, policy: Policy) -> Terms
    where
        T: Value,
    {
        Terms::shared::<T>(policy)
    }

    /// The same of a value that stays in this process.
    pub fn terms_local(self, policy: Policy) -> Terms
    where
        T: LocalValue,
    {
        Terms::local::<T>(policy)
    }

    /// Everything but that: the store, other callers' computations, the function's own body. A call that refreshes runs
    /// the body at once, and stores its value.
    pub fn compute<C, F>(self, call: Call<'_, C>, terms: Terms, body: F) -> impl Future<Output = Result<T, E>>
    where
        C: Cache + ?Sized,
        T: LocalValue,
        S: Sharing<E>,
        F: Future<Output = Result<T, E>>,
    {
        compute(call, terms, self.0, body)
    }

    /// As [`compute`](Self::compute), with the body in a task of its own. `start` runs when a computation starts.
    pub fn compute_background<C, F>(
        self,
        call: Call<'_, C>,
        terms: Terms,
        start: impl FnOnce() -> F + Send,
    ) -> impl Future<Output = Result<T, E>>
    where
        C: Cache + ?Sized,
        T: LocalValue,
        E: Send + 'static,
        S: Sharing<E>,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        compute_background(call, terms, self.0, start)
    }

    /// As [`compute`](Self::compute), on this thread, which is blocked while it waits for others.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub fn compute_blocking<C>(
        self,
        call: Call<'_, C>,
        policy: Policy,
        body: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Cache + ?Sized,
        T: LocalValue,
        S: Sharing<E>,
    {
        let wanted = Wanted::blocking::<T>(&policy);
        compute_blocking(call, (&policy, wanted), self.0, body)
    }

    /// The value in an output.
    pub fn value(self, output: &Result<T, E>) -> Option<&T> {
        output.as_ref().ok()
    }

    /// In a computation: does not store a value that `unstored` picks out.
    pub fn unless(self, output: &Result<T, E>, unstored: impl FnOnce(&T) -> bool) {
        if output.as_ref().is_ok_and(unstored) {
            context().no_store();
        }
    }
}

impl<T, E, S> Fallible<T, OrLate<E>, WithDefault<S>> {
    /// A body whose call may be late.
    pub fn may_be_late<F>(self, body: F) -> MayBeLate<F> {
        MayBeLate { body }
    }

    /// The same of what starts one.
    pub fn start_may_be_late<F>(
        self,
        start: impl FnOnce() -> F + Send,
    ) -> impl FnOnce() -> MayBeLate<F> + Send {
        move || MayBeLate { body: start() }
    }

    /// As [`or`](Self::or), of a call that may be late.
    ///
    /// # Errors
    ///
    /// Those that are kept.
    pub fn or_late(self, output: Result<T, OrLate<E>>, default: impl FnOnce() -> T) -> Result<T, E>
    where
        S: Sharing<E>,
    {
        match output {
            Ok(value) => Ok(value),
            Err(OrLate::Error(error)) if self.0.0.keep(&error).is_some() => Err(error),
            Err(_) => Ok(default()),
        }
    }
}
