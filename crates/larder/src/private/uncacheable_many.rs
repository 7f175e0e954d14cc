//! One error for a function of a list whose values cannot be cached: as in [`type_checks`](super::type_checks).

use std::{convert::Infallible, marker::PhantomData};

use super::{
    call_flags::How,
    comparison::{NoValue, Returned},
    many::{Many, OfMany},
    option_checks::{MayFail, MayFailAgain, MayShare, MayTimeOut},
    output_kind::{Fallible, Plain},
    terms::Terms,
};
use crate::{cache_core::Site, policy::Policy};

/// The second choice for a kind of output, one reference further.
pub trait UncacheableMany {
    /// The output.
    type Output;
    /// The type of the elements.
    type Element;

    /// Does not return.
    fn checked(&self) -> NothingOfMany<Self::Output, Self::Element> {
        unreachable!("a call of `check` that does not compile comes first")
    }

    /// Does not return.
    fn checked_local(&self) -> NothingOfMany<Self::Output, Self::Element> {
        unreachable!("a call of `check_local` that does not compile comes first")
    }
}

impl<T, E, S, I, V> UncacheableMany for &OfMany<Fallible<T, E, S>, T, I, V> {
    type Output = Result<T, E>;
    type Element = I;
}

impl<R, I, V> UncacheableMany for &OfMany<Plain<R>, R, I, V> {
    type Output = R;
    type Element = I;
}

/// The kind of an output that cannot be cached: it has what the others have, and demands nothing.
#[derive(Debug)]
pub struct NothingOfMany<R, I>(Infallible, PhantomData<fn() -> (R, I)>);

impl<R, I> Clone for NothingOfMany<R, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, I> Copy for NothingOfMany<R, I> {}

impl<R, I> Returned for NothingOfMany<R, I> {
    type Value = NoValue;
}

#[diagnostic::do_not_recommend]
impl<R, I> MayFail for NothingOfMany<R, I> {}
#[diagnostic::do_not_recommend]
impl<R, I> MayFailAgain for NothingOfMany<R, I> {}
#[diagnostic::do_not_recommend]
impl<R, I> MayShare for NothingOfMany<R, I> {}
#[diagnostic::do_not_recommend]
impl<R, I> MayTimeOut for NothingOfMany<R, I> {}

impl<R, I> NothingOfMany<R, I> {
    /// As [`OfMany::at_most`].
    #[must_use]
    pub fn at_most(self, _: usize) -> Self {
        self
    }

    /// As [`OfMany::begin`].
    pub fn begin<C: ?Sized>(self, _: &C, _: Site, _: How) -> Many<'_, C, I> {
        match self.0 {}
    }

    /// As [`OfMany::terms`].
    pub fn terms(self, _: Policy) -> Terms {
        match self.0 {}
    }

    /// As [`OfMany::terms_local`].
    pub fn terms_local(self, _: Policy) -> Terms {
        match self.0 {}
    }

    /// As `OfMany::share_err`.
    #[must_use]
    pub fn share_err<F>(self, _: F) -> Self {
        self
    }

    /// As `OfMany::times_out`.
    #[must_use]
    pub fn times_out(self) -> Self {
        self
    }

    /// As `OfMany::unshared`.
    #[must_use]
    pub fn unshared(self) -> Self {
        self
    }

    /// As `OfMany::compute`.
    pub async fn compute<C: ?Sized, U, F>(
        self,
        _: Many<'_, C, I>,
        _: Terms,
        _: U,
        _: impl FnMut(Vec<I>) -> F,
    ) -> R {
        match self.0 {}
    }

    /// As `OfMany::compute_background`.
    pub async fn compute_background<C: ?Sized, U, B: FnMut(Vec<I>) -> F, F>(
        self,
        _: Many<'_, C, I>,
        _: Terms,
        _: U,
        _: impl FnOnce() -> B,
    ) -> R {
        match self.0 {}
    }
}
