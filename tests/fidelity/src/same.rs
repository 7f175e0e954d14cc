//! Whether two values are the same, by all that their type offers: `PartialEq`, `Debug`, or both. What has neither
//! is compared by how it serializes.
//!
//! `PartialEq` alone is not enough: it ignores whether a header is sensitive, the scale of a decimal number, and
//! the offset of a point in time. `Debug` alone is not enough either: sets show their items in any order, so the
//! characters are compared without theirs.

use std::{fmt::Debug, marker::PhantomData};

use serde::Serialize;

/// What a type can do, apart from serde's traits.
pub struct Traits<T> {
    pub(crate) eq: Option<fn(&T, &T) -> bool>,
    pub(crate) text: Option<fn(&T) -> String>,
}

impl<T> Clone for Traits<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Traits<T> {}

impl<T> std::fmt::Debug for Traits<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traits").finish_non_exhaustive()
    }
}

impl<T: Serialize> Traits<T> {
    /// Whether two values are the same, by all that their type offers.
    #[must_use]
    pub fn is_same(&self, a: &T, b: &T) -> bool {
        if self.eq.is_none() && self.text.is_none() {
            return serde_json::to_string(a).ok() == serde_json::to_string(b).ok();
        }
        // What is not equal to itself holds a float that is no number.
        let equal = self.eq.is_none_or(|eq| eq(a, b) || !eq(a, a));
        equal && self.text.is_none_or(|text| characters(text(a)) == characters(text(b)))
    }
}

/// The characters of a text, without their order.
fn characters(text: String) -> Vec<u8> {
    let mut characters = text.into_bytes();
    characters.sort_unstable();
    characters
}

/// Stands for a type whose traits are looked for by autoref: see [`traits!`](crate::traits).
#[derive(Debug)]
pub struct Looked<T>(PhantomData<T>);

impl<T> Looked<T> {
    /// For a type.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Looked<T> {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! looks {
    ($($(#[$attribute:meta])* $trait:ident $looked:ty: $($bound:path),*; $eq:expr, $text:expr;)*) => {$(
        $(#[$attribute])*
        pub trait $trait<T> {
            /// What it can do.
            fn traits(&self) -> Traits<T>;
        }

        impl<T: Sized $(+ $bound)*> $trait<T> for $looked {
            fn traits(&self) -> Traits<T> {
                Traits { eq: $eq, text: $text }
            }
        }
    )*};
}

looks! {
    /// A type with `PartialEq` and `Debug`.
    HasBoth &&&Looked<T>: PartialEq, Debug; Some(T::eq), Some(|value| format!("{value:?}"));
    /// A type with `Debug` alone.
    HasDebug &&Looked<T>: Debug; None, Some(|value| format!("{value:?}"));
    /// A type with `PartialEq` alone.
    HasEquality &Looked<T>: PartialEq; Some(T::eq), None;
    /// A type with neither.
    HasNeither Looked<T>: ; None, None;
}

/// What a type can do.
#[macro_export]
macro_rules! traits {
    ($type:ty) => {{
        #[allow(unused_imports, reason = "one of them is used")]
        use $crate::same::{HasBoth as _, HasDebug as _, HasEquality as _, HasNeither as _};
        (&&&&$crate::same::Looked::<$type>::new()).traits()
    }};
}
