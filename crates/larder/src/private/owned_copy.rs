//! Owned copies of arguments, for a run in the background.

use std::{borrow::Borrow, convert::Infallible, marker::PhantomData};

/// What a background run can have a copy of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be copied for a run in the background",
    label = "not `Clone`",
    note = "`spawn`, `stale_while_revalidate`, `refresh_ahead` and `timeout` compute in the background, on copies \
            of the borrowed arguments: derive `Clone`, or pass the argument as an `Arc` of it"
)]
pub trait Own {
    /// The copy.
    type Owned: Borrow<Self>;

    /// Copies.
    fn own(&self) -> Self::Owned;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned + ?Sized> Own for T {
    type Owned = T::Owned;

    fn own(&self) -> T::Owned {
        self.to_owned()
    }
}

/// Complains of an argument that cannot be copied.
pub fn check_own<T: Own + ?Sized>(_: &T) {}

/// An argument of which a copy is wanted.
#[derive(Debug)]
pub struct Loan<'a, T: ?Sized>(pub &'a T);

/// The first choice for a [`Loan`].
pub trait OwnCopy {
    /// The copy's type.
    type Copy;

    /// Copies.
    fn own(&self) -> Self::Copy;
}

impl<T: Own + ?Sized> OwnCopy for Loan<'_, T> {
    type Copy = Copied<T, T::Owned>;

    fn own(&self) -> Self::Copy {
        Copied(self.0.own(), PhantomData)
    }
}

/// The second choice, one reference further: [`check_own`] has complained, and nothing else shall.
pub trait OwnNothing {
    /// The type of what is no copy.
    type Copy;

    /// Does not return.
    fn own(&self) -> Self::Copy;
}

impl<T: ?Sized> OwnNothing for &Loan<'_, T> {
    type Copy = Uncopied<T>;

    fn own(&self) -> Self::Copy {
        unreachable!("a call of `check_own` that does not compile comes first")
    }
}

/// What a copy is a copy of.
pub trait Lend<T: ?Sized> {
    /// What the argument was.
    fn lend(&self) -> &T;
}

/// An owned copy, and of what.
#[derive(Debug)]
pub struct Copied<T: ?Sized, O>(O, PhantomData<fn() -> Box<T>>);

impl<T: ?Sized, O: Borrow<T>> Lend<T> for Copied<T, O> {
    fn lend(&self) -> &T {
        self.0.borrow()
    }
}

/// The copy of what has none.
#[derive(Debug)]
pub struct Uncopied<T: ?Sized>(Infallible, PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Lend<T> for Uncopied<T> {
    fn lend(&self) -> &T {
        match self.0 {}
    }
}

/// What the argument was.
pub fn lend<T: ?Sized>(copy: &impl Lend<T>) -> &T {
    copy.lend()
}
