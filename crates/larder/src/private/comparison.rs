//! How the values that a function returns are compared, told apart by their concrete type.
//!
//! As in [`output_kind`](super::output_kind), the method that has the most references in front of its type, and whose bounds hold,
//! is the one that `(&&&&compared(kind)).remember()` finds: one reference more than the first choice has.

use std::{fmt::Debug, marker::PhantomData};

use crate::{
    private::{
        output_kind::{Fallible, Plain},
        type_checks::Nothing,
    },
    value::comparison::Comparison,
};

/// The type of a function's cached values.
#[derive(Debug)]
pub struct Compared<V>(PhantomData<fn() -> V>);

/// What a function returns, and what of it is cached.
pub trait Returned {
    /// The type of the cached values.
    type Value;
}

impl<T, E, S> Returned for Fallible<T, E, S> {
    type Value = T;
}

impl<R> Returned for Plain<R> {
    type Value = R;
}

impl<R> Returned for Nothing<R> {
    type Value = NoValue;
}

/// The type of the values of what cannot be cached.
#[derive(Debug)]
pub struct NoValue;

/// The type of the cached values of this kind of output.
#[must_use]
pub fn compared<K: Returned>(_: K) -> Compared<K::Value> {
    Compared(PhantomData)
}

macro_rules! choices {
    ($($(#[$doc:meta])+ $choice:ident: [$($bounds:tt)*] $compared:ty => |$new:ident| $comparison:expr;)+) => {$(
        $(#[$doc])+
        pub trait $choice {
            /// Remembers how to compare two values.
            fn remember(&self);
        }

        impl<V: $($bounds)*> $choice for $compared {
            fn remember(&self) {
                let $new = Comparison::<V>::new();
                $comparison.remember();
            }
        }
    )+};
}

choices! {
    /// By equality, and by text where that does not tell.
    ByBoth: [Clone + PartialEq + Debug + 'static] &&&Compared<V> => |new| new.by_eq().by_text();
    /// By equality.
    ByEq: [Clone + PartialEq + 'static] &&Compared<V> => |new| new.by_eq();
    /// By text.
    ByText: [Clone + Debug + 'static] &Compared<V> => |new| new.by_text();
}

/// By nothing.
pub trait ByNothing {
    /// Does nothing.
    fn remember(&self);
}

impl<V> ByNothing for Compared<V> {
    fn remember(&self) {}
}
