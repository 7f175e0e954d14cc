//! The type that a method belongs to, where the key leaves it out: it must not have parameters.
//!
//! A macro sees the method and not its `impl`. What it writes is an array, `[(); self_type::<Self>()]`, whose length
//! the compiler can only tell if `Self` is one type, whatever its lifetimes; the array of another length, or of one
//! that is not known, is not [`OneType`].

use std::{any::type_name, borrow::Cow};

use crate::key::Key;

/// The type that a method belongs to.
#[must_use]
pub fn owner<T: ?Sized>() -> Cow<'static, str> {
    type_name::<T>().into()
}

/// The types in the key of a method, where nothing tells which of them are the parameters of its `impl`.
#[must_use]
pub fn owner_of(write: impl FnOnce(&mut Key)) -> Cow<'static, str> {
    let mut types = Key::default();
    write(&mut types);
    types.into_string().into()
}

/// Zero, but not before the compiler knows what `T` is.
#[must_use]
pub const fn self_type<T: ?Sized>() -> usize {
    let _ = std::mem::needs_drop::<T>();
    0
}

/// What [`self_type`] gives for a type without parameters.
#[diagnostic::on_unimplemented(
    message = "the type of this method's `self` has type or const parameters that are neither in the key nor skipped",
    label = "one key for several types",
    note = "put `<Self>` into the key (or what tells the types apart: `<T>`, `<Self::TABLE>`, `<T::NAME>`), or write \
            `skip(Self)` if the result does not depend on it"
)]
pub trait OneType {}

#[diagnostic::do_not_recommend]
impl OneType for [(); 0] {}

/// Complains of `Self` with parameters.
#[inline]
pub const fn check_self<T: OneType>(_: &T) {}
