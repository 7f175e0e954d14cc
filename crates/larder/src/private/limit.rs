//! One call of a function whose rate is limited.

use std::pin::pin;

use crate::{
    block_on::block_on,
    cache::Cache,
    gcra::{KEYS, Rate},
    key::Key,
    limit::{FailureMode, Limited, Terms, decide},
};

/// What a limited function returns: a `Result` whose error can say that a limit was exceeded.
#[diagnostic::on_unimplemented(
    message = "`#[limited]` needs a function that can return a `Limited` as its error, and this one returns `{Self}`",
    label = "no error that a `Limited` can become",
    note = "return a `Result<_, E>` where `E: From<larder::limit::Limited>`: `larder::limit::Limited` itself, `anyhow::Error`, or \
            an enum with a variant for it"
)]
pub trait ReturnsLimited {
    /// The call was refused.
    fn limited(limited: Limited) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Limited>> ReturnsLimited for Result<T, E> {
    fn limited(limited: Limited) -> Self {
        Err(limited.into())
    }
}

/// What a function returns whose call was refused.
pub fn limited<R: ReturnsLimited>(limited: Limited) -> R {
    R::limited(limited)
}

/// A rate that was written as text: so many in each so many milliseconds, and so many at once.
#[must_use]
pub const fn rate(units: u32, milliseconds: u64, burst: u32) -> Rate {
    Rate::of_literal(units, milliseconds).burst(burst)
}

/// One call of a limited function.
#[derive(Debug)]
pub struct LimitedCall<'c, C: ?Sized> {
    cache: &'c C,
    terms: Terms,
    key: String,
    units: u32,
}

impl<'c, C: Cache + ?Sized> LimitedCall<'c, C> {
    /// Of the key that `build` writes. A part of it that has no text is left out.
    pub fn new(cache: &'c C, rate: Rate, build: impl FnOnce(&mut Key)) -> Self {
        let mut key = Key::default();
        build(&mut key);
        let terms = Terms { rate, failure: FailureMode::default(), local: false };
        Self { cache, terms, key: key.into_string(), units: 1 }
    }

    /// With another burst.
    #[must_use]
    pub fn burst(mut self, units: u32) -> Self {
        self.terms.rate = self.terms.rate.burst(units.max(1));
        self
    }

    /// With another cost.
    #[must_use]
    pub const fn cost(mut self, units: u32) -> Self {
        self.units = units;
        self
    }

    /// With another failure mode.
    #[must_use]
    pub const fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.terms.failure = mode;
        self
    }

    /// In this process alone.
    #[must_use]
    pub const fn local(mut self) -> Self {
        self.terms.local = true;
        self
    }

    /// Why the call is refused, if it is.
    pub async fn refused(self) -> Option<Limited> {
        let tables = self.cache.core().limits().of(&self.terms.rate, KEYS);
        decide(self.cache, &tables, self.terms, (&self.key, self.units)).await.admitted().err()
    }

    /// The same, counted in this process: known at once.
    #[must_use]
    pub fn refused_here(self) -> Option<Limited> {
        block_on(pin!(self.local().refused()))
    }
}
