//! What becomes of arguments: parts of a key, and owned copies.

use std::{borrow::Borrow, convert::Infallible, fmt::Display, marker::PhantomData};

use serde::Serialize;

use crate::key::Key;

/// An argument that is to become a part of a key.
#[derive(Debug)]
pub struct Arg<'a, T: ?Sized>(pub &'a T);

/// Text and integers, written without `Display`.
pub trait Fast {
    /// Appends the value.
    fn write(&self, key: &mut Key);
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Fast for $integer {
            #[inline]
            fn write(&self, key: &mut Key) {
                key.integer(*self);
            }
        }
    )+};
}

integers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

impl Fast for str {
    #[inline]
    fn write(&self, key: &mut Key) {
        key.escaped(self);
    }
}

impl Fast for String {
    #[inline]
    fn write(&self, key: &mut Key) {
        key.escaped(self);
    }
}

impl<T: Fast + ?Sized> Fast for &T {
    #[inline]
    fn write(&self, key: &mut Key) {
        T::write(self, key);
    }
}

/// The first choice for an [`Arg`].
pub trait ArgFast {
    /// Appends the argument.
    fn write(&self, key: &mut Key);
}

impl<T: Fast + ?Sized> ArgFast for Arg<'_, T> {
    #[inline]
    fn write(&self, key: &mut Key) {
        self.0.write(key);
    }
}

/// The second choice for an [`Arg`], one reference further.
pub trait ArgDisplay {
    /// What the argument is.
    type Part: ?Sized;

    /// Appends the argument.
    fn write(&self, key: &mut Key)
    where
        Self::Part: KeyPart;
}

impl<T: ?Sized> ArgDisplay for &Arg<'_, T> {
    type Part = T;

    fn write(&self, key: &mut Key)
    where
        T: KeyPart,
    {
        self.0.write_to(key);
    }
}

/// What can stand in a key: whatever is `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no text that could stand in a key",
    label = "not `Display`",
    note = "if the result does not depend on this argument, name it in `skip(…)`",
    note = "if it does, write into the key what of it is `Display` (`<user.id>`, `<path.display()>`), or a digest \
            of all of it (`<filter:md5>`, for what is `serde::Serialize`)"
)]
pub trait KeyPart {
    /// Appends the value.
    fn write_to(&self, key: &mut Key);
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> KeyPart for T {
    fn write_to(&self, key: &mut Key) {
        key.display(self);
    }
}

/// What a digest can be made of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no digest that could stand in a key",
    label = "not `serde::Serialize`",
    note = "derive `serde::Serialize` for it, or write into the key what of it is `Display` (`<user.id>`), or, if \
            the result does not depend on it, name it in `skip(…)`"
)]
pub trait Digest {
    /// Appends the digest.
    fn write_to(&self, key: &mut Key);
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Digest for T {
    fn write_to(&self, key: &mut Key) {
        key.md5(self);
    }
}

/// Appends the digest of an argument.
pub fn digest<T: Digest + ?Sized>(argument: &T, key: &mut Key) {
    argument.write_to(key);
}

/// A module path with `.` for `::`.
#[derive(Debug)]
pub struct Dotted<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Dotted<N> {
    /// Of a path of `N` bytes.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        let path = path.as_bytes();
        let (mut bytes, mut length, mut read) = ([0; N], 0, 0);
        while read < path.len() {
            let separates = path[read] == b':';
            bytes[length] = if separates { b'.' } else { path[read] };
            length += 1;
            read += if separates { 2 } else { 1 };
        }
        Self { bytes, length }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => panic!("`::` and `.` are ASCII, so that the rest of the path stays UTF-8"),
        }
    }
}

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

/// A part of a text, written before the body takes the arguments in it.
#[derive(Debug)]
pub struct Early(Option<String>);

/// Writes a part of a text.
#[must_use]
pub fn early(build: impl FnOnce(&mut Key)) -> Early {
    let mut text = Key::default();
    build(&mut text);
    Early((!text.failed()).then(|| text.into_string()))
}

impl Early {
    /// Appends the part.
    pub fn write(&self, key: &mut Key) {
        match &self.0 {
            Some(text) => key.literal(text),
            None => key.display(self),
        }
    }
}

/// Fails, and so makes the key one that is refused: what is displayed is a part without text.
impl Display for Early {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_with_dots() {
        const PATH: Dotted<19> = Dotted::new("crate_a::module::fn");
        assert_eq!(PATH.as_str(), "crate_a.module.fn");
    }
}
