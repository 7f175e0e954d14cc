//! Functions with `#[cached]`, by what the type of their value can do.
//!
//! They are generic, and say so in their bounds: the macro finds `PartialEq` and `Debug` there as it finds them on a
//! concrete type.

use std::{any::type_name, fmt::Debug, marker::PhantomData, time::Duration};

use larder::{CacheExt as _, Policy, TieredCache, Value, cached};

use crate::row::{Absent, At, BoxFuture, Route, TTL};

type Cached<T> =
    for<'a> fn(&'a TieredCache, &'a str, Option<T>, Duration) -> BoxFuture<'a, Result<T, Absent>>;

/// What `#[cached]` made of a function.
pub struct Access<T>(Cached<T>);

impl<T> std::fmt::Debug for Access<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl<T: Value> Access<T> {
    /// Stores a value. An error is what `insert` returns.
    pub(crate) async fn store(&self, cache: &TieredCache, at: At<'_>, value: T) -> larder::Result<()> {
        match at.route {
            Route::Cached => {
                let _ = (self.0)(cache, at.key, Some(value), negative_ttl::<T>()).await;
                Ok(())
            }
            Route::Insert => cache.insert(at.key, &value, policy::<T>()).await,
        }
    }

    /// Reads a value.
    pub(crate) async fn read(&self, cache: &TieredCache, at: At<'_>) -> Option<T> {
        match at.route {
            Route::Cached => (self.0)(cache, at.key, None, negative_ttl::<T>()).await.ok(),
            Route::Insert => cache.get::<T>(at.key).await.ok().flatten(),
        }
    }
}

/// How long a `None` is kept: only an `Option` may need it.
fn negative_ttl<T>() -> Duration {
    if type_name::<T>().starts_with("core::option::Option<") { TTL } else { Duration::ZERO }
}

fn policy<T>() -> Policy {
    Policy::builder().ttl(TTL).negative_ttl(negative_ttl::<T>()).build().expect("it is valid")
}

macro_rules! cached_functions {
    ($($(#[$attribute:meta])* $name:ident: $bounds:path $(, $more:path)*;)*) => {$(
        $(#[$attribute])*
        #[cached(
            ttl = TTL,
            negative_ttl = negative_ttl,
            key = "<key>",
            cache = cache,
            skip(cache, value, negative_ttl, T),
            companions = false
        )]
        async fn $name<T: $bounds $(+ $more)*>(
            cache: &TieredCache,
            key: &str,
            value: Option<T>,
            negative_ttl: Duration,
        ) -> Result<T, Absent> {
            value.ok_or(Absent)
        }
    )*};
}

cached_functions! {
    both: Value, PartialEq, Debug;
    shown: Value, Debug;
    equal: Value, PartialEq;
    silent: Value;
}

/// Stands for a type whose traits are looked for by autoref: see [`access!`](crate::access).
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl<T> Probe<T> {
    /// A probe for the type.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Probe<T> {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! probes {
    ($($(#[$attribute:meta])* $trait:ident $probe:ty: $($bound:path),*; $cached:ident;)*) => {$(
        $(#[$attribute])*
        pub trait $trait<T> {
            /// How its values are cached.
            fn access(&self) -> Access<T>;
        }

        impl<T: Value $(+ $bound)*> $trait<T> for $probe {
            fn access(&self) -> Access<T> {
                Access(|cache, key, value, negative_ttl| Box::pin($cached(cache, key, value, negative_ttl)))
            }
        }
    )*};
}

probes! {
    /// A type with `PartialEq` and `Debug`.
    ByBoth &&&Probe<T>: PartialEq, Debug; both;
    /// A type with `Debug` alone.
    ByDebug &&Probe<T>: Debug; shown;
    /// A type with `PartialEq` alone.
    ByEquality &Probe<T>: PartialEq; equal;
    /// A type with neither.
    ByForm Probe<T>: ; silent;
}

/// How values of a type are cached.
#[macro_export]
macro_rules! access {
    ($type:ty) => {{
        #[allow(unused_imports, reason = "one of them is used")]
        use $crate::cached::{ByBoth as _, ByDebug as _, ByEquality as _, ByForm as _};
        (&&&&$crate::cached::Probe::<$type>::new()).access()
    }};
}
