//! How a computation's error reaches the callers who waited for it.

use std::{
    any::Any,
    fmt::Display,
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, Condvar, PoisonError},
    time::Duration,
};

use crate::{
    entry::Entry,
    error::{SharedError, TimedOut},
    sync::plain::{Mutex, lock},
    value::{AnyValue, Transport},
};

/// An error that was given away, for callers with the same error type and the same way of sharing.
pub(crate) type Given = Arc<dyn Any + Send + Sync>;

/// A way of giving an error of type `E` to several callers.
pub trait Sharing<E>: Copy + Send + Sync + 'static {
    /// What the others get. None if they get nothing, and compute for themselves.
    fn give(self, error: &E) -> Option<Given>;

    /// The error, from what another caller gave in the same way.
    fn take(self, given: &Given) -> Option<E>;

    /// What an entry keeps of this error; none if it is not kept.
    fn keep(self, _: &E) -> Option<Box<AnyValue>> {
        None
    }

    /// The error that an entry keeps.
    fn kept(self, _: &Entry) -> Option<E> {
        None
    }

    /// How an error that is kept becomes a message, and back.
    fn kept_transport(self) -> Option<&'static Transport> {
        None
    }

    /// Makes the error of a call that is not answered by its deadline; none if it has no deadline.
    fn timed_out(self) -> Option<fn(TimedOut) -> E> {
        None
    }
}

/// Does not share.
#[derive(Debug, Clone, Copy)]
pub struct Unshared;

impl<E> Sharing<E> for Unshared {
    fn give(self, _: &E) -> Option<Given> {
        None
    }

    fn take(self, _: &Given) -> Option<E> {
        None
    }
}

/// How long a caller waits for the others to have made errors of an original. One that waits longer makes none, and computes
/// for itself: what one of the others runs may wait for this caller.
const PATIENCE: Duration = Duration::from_secs(1);

/// An error of which others are made, by one caller after the other: it need not be `Sync`. What makes them is code of the
/// user's, which runs under no lock: the error is taken out meanwhile.
struct Original<E> {
    error: Mutex<Option<E>>,
    is_back: Condvar,
}

impl<E: Send + 'static> Original<E> {
    fn of(error: E) -> Given {
        Arc::new(Self { error: Mutex::new(Some(error)), is_back: Condvar::new() })
    }

    /// What is made of it.
    fn with<R>(&self, make: impl FnOnce(&E) -> R) -> Option<R> {
        let there = lock(&self.error);
        let waited = self.is_back.wait_timeout_while(there, PATIENCE, |error| error.is_none());
        let error = waited.unwrap_or_else(PoisonError::into_inner).0.take()?;
        let taken = Taken { from: self, error: Some(error) };
        taken.error.as_ref().map(make)
    }
}

/// An error that is put back, also after a panic.
struct Taken<'o, E> {
    from: &'o Original<E>,
    error: Option<E>,
}

impl<E> Drop for Taken<'_, E> {
    fn drop(&mut self) {
        *lock(&self.from.error) = self.error.take();
        self.from.is_back.notify_one();
    }
}

/// Shares clones.
#[derive(Debug, Clone, Copy)]
pub struct Cloned;

impl<E: Clone + Send + 'static> Sharing<E> for Cloned {
    fn give(self, error: &E) -> Option<Given> {
        Some(Original::of(error.clone()))
    }

    fn take(self, given: &Given) -> Option<E> {
        given.downcast_ref::<Original<E>>()?.with(E::clone)
    }
}

/// Shares what a function of the user's makes of the error.
#[derive(Debug, Clone, Copy)]
pub struct By<F>(pub(crate) F);

impl<E, F> Sharing<E> for By<F>
where
    E: Send + 'static,
    F: Fn(&E) -> E + Copy + Send + Sync + 'static,
{
    fn give(self, error: &E) -> Option<Given> {
        Some(Original::of(self.0(error)))
    }

    fn take(self, given: &Given) -> Option<E> {
        given.downcast_ref::<Original<E>>()?.with(self.0)
    }
}

/// Shares the text of the error and of its sources: as `HOW` renders it.
#[derive(Debug)]
pub struct Rendered<How>(PhantomData<fn() -> How>);

impl<How> Rendered<How> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<How> Clone for Rendered<How> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<How> Copy for Rendered<How> {}

/// A way of rendering errors of type `E`.
pub trait Render<E>: Send + Sync + 'static {
    /// The text of the error and, where they can be reached, of its sources.
    fn render(error: &E) -> SharedError;
}

/// For an error that is a [`std::error::Error`].
#[derive(Debug)]
pub struct AsError;

impl<E: std::error::Error + 'static> Render<E> for AsError {
    fn render(error: &E) -> SharedError {
        SharedError::render(error)
    }
}

/// For an error that points to a [`std::error::Error`]: `anyhow::Error`, `eyre::Report`, `Box<dyn Error>`.
#[derive(Debug)]
pub struct AsPointer;

impl<E: Deref<Target: AsDynError>> Render<E> for AsPointer {
    fn render(error: &E) -> SharedError {
        SharedError::render(error.as_dyn_error())
    }
}

/// For an error that can only be displayed.
#[derive(Debug)]
pub struct AsText;

impl<E: Display> Render<E> for AsText {
    fn render(error: &E) -> SharedError {
        SharedError::text(error.to_string())
    }
}

struct Text<E>(SharedError, PhantomData<fn() -> E>);

impl<E: From<SharedError> + 'static, How: Render<E>> Sharing<E> for Rendered<How> {
    fn give(self, error: &E) -> Option<Given> {
        Some(Arc::new(Text::<E>(How::render(error), PhantomData)))
    }

    fn take(self, given: &Given) -> Option<E> {
        given.downcast_ref::<Text<E>>().map(|Text(error, _)| error.clone().into())
    }
}

/// What can be seen as a `dyn Error`, `dyn Error` itself included.
pub trait AsDynError {
    /// As a `dyn Error`.
    fn as_dyn_error(&self) -> &(dyn std::error::Error + 'static);
}

macro_rules! as_dyn_error {
    ($($object:ty),+) => {$(
        impl AsDynError for $object {
            fn as_dyn_error(&self) -> &(dyn std::error::Error + 'static) {
                self
            }
        }
    )+};
}

as_dyn_error!(
    dyn std::error::Error + 'static,
    dyn std::error::Error + Send + 'static,
    dyn std::error::Error + Send + Sync + 'static
);

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_is_made_of_an_error_may_ask_for_it_again() {
        fn again(given: &Given) -> Option<u8> {
            By(|error: &u8| *error).take(given)
        }

        let given = Original::of(7_u8);
        let original = given.downcast_ref::<Original<u8>>().unwrap();
        assert_eq!(original.with(|error| (*error, again(&given))), Some((7, None)));
        assert_eq!(again(&given), Some(7), "it is back");
        let panicked = catch_unwind(AssertUnwindSafe(|| original.with(|_| panic!("no error of it"))));
        assert!(panicked.is_err());
        assert_eq!(again(&given), Some(7), "also after a panic");
    }

    #[test]
    fn one_caller_after_the_other_is_given_an_error() {
        let given = Original::of(7_u8);
        std::thread::scope(|scope| {
            let take = || scope.spawn(|| Cloned.take(&given));
            let taken: [_; 4] = std::array::from_fn(|_| take());
            for taken in taken {
                assert_eq!(taken.join().unwrap(), Some(7_u8));
            }
        });
    }
}
