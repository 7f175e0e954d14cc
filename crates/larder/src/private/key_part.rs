//! Arguments as parts of a key.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fmt::Display,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use serde::Serialize;

use crate::key::Key;

/// An argument that is to become a part of a key.
#[derive(Debug)]
pub struct Arg<'a, T: ?Sized>(pub &'a T);

/// Text, integers and paths, written without `Display`.
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

impl Fast for OsStr {
    fn write(&self, key: &mut Key) {
        key.os_text(self);
    }
}

impl Fast for Path {
    fn write(&self, key: &mut Key) {
        key.os_text(self.as_os_str());
    }
}

macro_rules! by_deref {
    ($([$($generics:tt)*] $pointer:ty;)+) => {$(
        impl<$($generics)*> Fast for $pointer {
            #[inline]
            fn write(&self, key: &mut Key) {
                Fast::write(&**self, key);
            }
        }
    )+};
}

by_deref! {
    [] String;
    [] OsString;
    [] PathBuf;
    [T: Fast + ?Sized] &T;
    [T: Fast + ?Sized] Box<T>;
    [T: Fast + ?Sized] Rc<T>;
    [T: Fast + ?Sized] Arc<T>;
    [T: Fast + ToOwned + ?Sized] Cow<'_, T>;
}

// Three choices, one reference apart, for `(&&Arg(&value)).write(key)`. Each step has one trait alone: of a value whose
// type is an error already (a field that does not exist), the first choice is then taken without a second error.

/// The first choice for an [`Arg`].
pub trait ArgFast {
    /// Appends the argument.
    fn write(&self, key: &mut Key);
}

impl<T: Fast + ?Sized> ArgFast for &Arg<'_, T> {
    #[inline]
    fn write(&self, key: &mut Key) {
        self.0.write(key);
    }
}

/// The second choice: a text that other values have too.
pub trait ArgLossy {
    /// What the argument is.
    type Part;

    /// Does not compile.
    fn write(&self, key: &mut Key)
    where
        Self::Part: Lossless;
}

/// A text of which there is one for every value.
#[diagnostic::on_unimplemented(
    message = "the `display()` of a path loses what is no Unicode, so that different paths share a key",
    label = "write the path itself, without `.display()`"
)]
pub trait Lossless {}

impl ArgLossy for &&Arg<'_, std::path::Display<'_>> {
    type Part = std::path::Display<'static>;

    fn write(&self, _: &mut Key) {}
}

impl ArgLossy for &&Arg<'_, std::ffi::os_str::Display<'_>> {
    type Part = std::ffi::os_str::Display<'static>;

    fn write(&self, _: &mut Key) {}
}

/// The last choice: whatever is `Display`.
pub trait ArgDisplay {
    /// What the argument is.
    type Part: ?Sized;

    /// Appends the argument.
    fn write(&self, key: &mut Key)
    where
        Self::Part: KeyPart;
}

impl<T: ?Sized> ArgDisplay for Arg<'_, T> {
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
    note = "if the result of a `#[cached]` function does not depend on it, name it in `skip(…)`",
    note = "if it does, write into the key what of it is `Display` (`<user.id>`), or a digest of all of it, for what \
            is `serde::Serialize` (`<filter:hash>`, or `<filter:md5>` where no stranger chooses it)"
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
            the result of a `#[cached]` function does not depend on it, name it in `skip(…)`"
)]
pub trait Digest {
    /// Appends the MD5.
    fn md5(&self, key: &mut Key);

    /// Appends the digest of which no two values with the same can be found.
    fn hash(&self, key: &mut Key);
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Digest for T {
    fn md5(&self, key: &mut Key) {
        key.md5(self);
    }

    fn hash(&self, key: &mut Key) {
        key.hash(self);
    }
}

/// Digests of arguments.
pub mod digest {
    use super::{Digest, Key};

    /// Appends `<argument:md5>`.
    pub fn md5<T: Digest + ?Sized>(argument: &T, key: &mut Key) {
        argument.md5(key);
    }

    /// Appends `<argument:hash>`.
    pub fn hash<T: Digest + ?Sized>(argument: &T, key: &mut Key) {
        argument.hash(key);
    }
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
