//! What a function returns, told apart by its concrete type, so that aliases of `Result` count as one.
//!
//! The method that has the most references in front of its type, and whose bounds hold, is the one that
//! `(&&&&&&&&Returns::<R>::new()).kind()` finds.

use std::{error::Error, fmt::Display, future::Future, marker::PhantomData, ops::Deref};

use futures_core::Stream;

use crate::{
    error::SharedError,
    error_sharing::{AsDynError, AsError, AsPointer, AsText, Cloned, Rendered, Unshared},
};

/// A function's return type.
#[derive(Debug)]
pub struct Returns<R>(PhantomData<fn() -> R>);

impl<R> Returns<R> {
    /// For `R`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "called by generated code alone")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// For the type of an output.
    #[must_use]
    pub const fn of(_: &R) -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Returns<Result<T, E>> {
    /// Of an error that borrows, which no other caller can be given.
    #[must_use]
    #[inline]
    pub const fn with_borrowed_error(&self) -> Fallible<T, E, Unshared> {
        Fallible(Unshared, PhantomData)
    }
}

/// A `Result`: its `Ok` is cached.
#[derive(Debug)]
pub struct Fallible<T, E, S>(pub(super) S, PhantomData<fn() -> (T, E)>);

impl<T, E, S> Fallible<T, E, S> {
    pub(super) fn by(sharing: S) -> Self {
        Self(sharing, PhantomData)
    }
}

impl<T, E, S: Copy> Clone for Fallible<T, E, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E, S: Copy> Copy for Fallible<T, E, S> {}

/// Anything else: it is cached as it is.
#[derive(Debug)]
pub struct Plain<R>(PhantomData<fn() -> R>);

impl<R> Plain<R> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<R> Clone for Plain<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Plain<R> {}

/// Finds a [`Fallible`] or a [`Plain`] among impls of which each stands one reference before the next.
macro_rules! choices {
    ($($(#[$doc:meta])+ $choice:ident: [$($generics:tt)*] $returns:ty => $kind:ty = $make:expr;)+) => {$(
        $(#[$doc])+
        pub trait $choice {
            /// The kind.
            type Kind;
            /// The kind.
            fn kind(&self) -> Self::Kind;
        }

        impl<$($generics)*> $choice for $returns {
            type Kind = $kind;

            #[inline]
            fn kind(&self) -> $kind {
                $make
            }
        }
    )+};
}

choices! {
    /// An error that is `Clone` is shared as it is.
    WithClone: [T, E: Clone + Send + 'static] &&&&&Returns<Result<T, E>>
        => Fallible<T, E, Cloned> = Fallible(Cloned, PhantomData);
    /// An error is shared as its text and that of its sources.
    WithError: [T, E: Error + From<SharedError> + 'static] &&&&Returns<Result<T, E>>
        => Fallible<T, E, Rendered<AsError>> = Fallible(Rendered::NEW, PhantomData);
    /// A pointer to an error, likewise.
    WithPointer: [T, E: Deref<Target: AsDynError> + From<SharedError> + 'static] &&&Returns<Result<T, E>>
        => Fallible<T, E, Rendered<AsPointer>> = Fallible(Rendered::NEW, PhantomData);
    /// Something with a text, likewise.
    WithText: [T, E: Display + From<SharedError> + 'static] &&Returns<Result<T, E>>
        => Fallible<T, E, Rendered<AsText>> = Fallible(Rendered::NEW, PhantomData);
    /// Any other error is not shared.
    WithNothing: [T, E] &Returns<Result<T, E>>
        => Fallible<T, E, Unshared> = Fallible(Unshared, PhantomData);
    /// What is no `Result`.
    NoResult: [R] Returns<R> => Plain<R> = Plain(PhantomData);
}

/// What is done when a function returns it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a future: `#[invalidate]` would be done before it is polled, and what it writes comes after that",
    label = "a future",
    note = "write an `async fn` that awaits it and returns what it gives; or end the function with \
            `Box::pin(async move {{ … }})`, and name that type: `BoxFuture<'_, T>`, `Pin<Box<dyn Future<Output = T> + Send>>`"
)]
pub trait Awaited {}

/// The same of items that are still to come.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a stream: `#[invalidate]` would be done before it is polled, and its items come after that",
    label = "a stream",
    note = "put `#[invalidate]` on what polls the stream to its end"
)]
pub trait Polled {}

/// Finds an output that is not done yet, which does not compile, before all others.
macro_rules! unfinished {
    ($($choice:ident: [$($generics:tt)*] $unfinished:ty as $of:ty, $returns:ty => $done:ident;)+) => {$(
        /// An output that is not done yet.
        pub trait $choice<R> {
            /// What is still to be polled.
            type Unfinished;

            /// Does not compile.
            fn success<'o>(&self, output: &'o R) -> Option<&'o R>
            where
                Self::Unfinished: $done;
        }

        impl<$($generics)*> $choice<$of> for $returns {
            type Unfinished = $unfinished;

            fn success<'o>(&self, output: &'o $of) -> Option<&'o $of>
            where
                $unfinished: $done,
            {
                Some(output)
            }
        }
    )+};
}

unfinished! {
    UnfinishedFuture: [F: Future] F as F, &&&&&&&Returns<F> => Awaited;
    UnfinishedFutureOfResult: [F: Future, E] F as Result<F, E>, &&&&&&Returns<Result<F, E>> => Awaited;
    UnfinishedFutureOfOption: [F: Future] F as Option<F>, &&&&&Returns<Option<F>> => Awaited;
    UnfinishedStream: [S: Stream] S as S, &&&&Returns<S> => Polled;
    UnfinishedStreamOfResult: [S: Stream, E] S as Result<S, E>, &&&Returns<Result<S, E>> => Polled;
}

/// Whether an output is a success, and its value.
pub trait SuccessOfResult<T, E> {
    /// The `Ok` value.
    fn success<'o>(&self, output: &'o Result<T, E>) -> Option<&'o T>;
}

impl<T, E> SuccessOfResult<T, E> for &&Returns<Result<T, E>> {
    fn success<'o>(&self, output: &'o Result<T, E>) -> Option<&'o T> {
        output.as_ref().ok()
    }
}

/// As [`SuccessOfResult`].
pub trait SuccessOfOption<T> {
    /// The `Some` value.
    fn success<'o>(&self, output: &'o Option<T>) -> Option<&'o T>;
}

impl<T> SuccessOfOption<T> for &Returns<Option<T>> {
    fn success<'o>(&self, output: &'o Option<T>) -> Option<&'o T> {
        output.as_ref()
    }
}

/// As [`SuccessOfResult`].
pub trait SuccessOfAny<R> {
    /// The output.
    fn success<'o>(&self, output: &'o R) -> Option<&'o R>;
}

impl<R> SuccessOfAny<R> for Returns<R> {
    fn success<'o>(&self, output: &'o R) -> Option<&'o R> {
        Some(output)
    }
}
