//! How a computation's error reaches the callers who waited for it.

use std::{any::Any, fmt::Display, marker::PhantomData, ops::Deref, sync::Arc};

use crate::{
    entry::Entry,
    error::{SharedError, TimedOut},
    sync::{Mutex, lock},
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

    /// What makes the error of a call that is not answered by its deadline; none if it has none.
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

/// Shares clones.
#[derive(Debug, Clone, Copy)]
pub struct Cloned;

impl Cloned {
    /// An error need not be `Sync`.
    fn keep<E: Send + 'static>(error: E) -> Option<Given> {
        Some(Arc::new(Mutex::new(error)))
    }
}

impl<E: Clone + Send + 'static> Sharing<E> for Cloned {
    fn give(self, error: &E) -> Option<Given> {
        Self::keep(error.clone())
    }

    fn take(self, given: &Given) -> Option<E> {
        given.downcast_ref::<Mutex<E>>().map(|error| lock(error).clone())
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
        Cloned::keep(self.0(error))
    }

    fn take(self, given: &Given) -> Option<E> {
        given.downcast_ref::<Mutex<E>>().map(|error| self.0(&lock(error)))
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
