//! Rows whose types larder sees through [`erased_serde`]: it passes on each call of `Serialize` and `Deserialize`
//! with its names and lengths, and each function of the type's own runs.
//!
//! Larder compiles some 500 KB of code for each type that is cached, in a build without optimization: four hundred of
//! them would take minutes.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use larder::{CacheExt as _, Policy, TieredCache, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    Row, access,
    cached::Access,
    row::{At, BoxFuture, Case, Expected, Found, TTL},
    same::Traits,
};

/// A row of values that are made anew each time.
#[must_use]
pub fn row<T: Value>(
    name: &'static str,
    values: fn() -> Vec<T>,
    expected: Expected,
    traits: Traits<T>,
) -> Row {
    let traits = if expected.only_shown.is_some() { Traits { text: None, ..traits } } else { traits };
    let erased = Erased { values, traits };
    match (traits.eq.is_some(), traits.text.is_some()) {
        (true, true) => Row::new(name, Both::NAME, expected, Through(erased, access!(Both))),
        (false, true) => Row::new(name, Shown::NAME, expected, Through(erased, access!(Shown))),
        (true, false) => Row::new(name, Equal::NAME, expected, Through(erased, access!(Equal))),
        (false, false) => Row::new(name, Silent::NAME, expected, Through(erased, access!(Silent))),
    }
}

/// A value, whichever type it has.
trait Held: erased_serde::Serialize + Send + Sync {
    fn is_equal(&self, other: &dyn Held) -> bool;
    fn text(&self) -> String;
    fn as_any(&self) -> &dyn Any;
}

struct Item<T> {
    value: T,
    traits: Traits<T>,
}

impl<T: Serialize> Serialize for Item<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: Value> Held for Item<T> {
    fn is_equal(&self, other: &dyn Held) -> bool {
        let other = other.as_any().downcast_ref::<T>();
        other.zip(self.traits.eq).is_some_and(|(other, eq)| eq(&self.value, other))
    }

    fn text(&self) -> String {
        self.traits.text.map_or_else(String::new, |text| text(&self.value))
    }

    fn as_any(&self) -> &dyn Any {
        &self.value
    }
}

/// Reads a value of the type that the current row has.
type Make =
    Arc<dyn Fn(&mut dyn erased_serde::Deserializer<'_>) -> erased_serde::Result<Arc<dyn Held>> + Send + Sync>;

/// One for the process: rows are run one after the other.
static MAKE: Mutex<Option<Make>> = Mutex::new(None);

fn make<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<dyn Held>, D::Error> {
    let make = MAKE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let make = make.ok_or_else(|| D::Error::custom("no row is run"))?;
    make(&mut <dyn erased_serde::Deserializer<'_>>::erase(deserializer)).map_err(D::Error::custom)
}

macro_rules! wrappers {
    ($($(#[$attribute:meta])* $name:ident)*) => {$(
        $(#[$attribute])*
        #[derive(Clone)]
        struct $name(Arc<dyn Held>);

        impl Wrapper for $name {
            fn new(held: Arc<dyn Held>) -> Self {
                Self(held)
            }

            fn held(&self) -> &dyn Held {
                &*self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                erased_serde::serialize(&*self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                make(deserializer).map(Self)
            }
        }

        impl $name {
            const NAME: &'static str = concat!("larder_fidelity::erased::", stringify!($name));
        }
    )*};
}

/// What larder takes for the type.
trait Wrapper: Value {
    fn new(held: Arc<dyn Held>) -> Self;
    fn held(&self) -> &dyn Held;
}

wrappers! {
    /// A value of a type with `PartialEq` and `Debug`.
    Both
    /// Of one with `Debug` alone.
    Shown
    /// Of one with `PartialEq` alone.
    Equal
    /// Of one with neither.
    Silent
}

impl PartialEq for Both {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_equal(&*other.0)
    }
}

impl PartialEq for Equal {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_equal(&*other.0)
    }
}

impl fmt::Debug for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text())
    }
}

struct Erased<T> {
    values: fn() -> Vec<T>,
    traits: Traits<T>,
}

/// A row, by the wrapper that has the traits of its type.
struct Through<T, W>(Erased<T>, Access<W>);

impl<T: Value> Erased<T> {
    fn value(&self, index: usize) -> T {
        (self.values)().swap_remove(index)
    }
}

fn set_current<T: Value>(traits: Traits<T>) {
    let make: Make = Arc::new(move |deserializer| {
        let value = erased_serde::deserialize::<T>(deserializer)?;
        Ok(Arc::new(Item { value, traits }))
    });
    *MAKE.lock().unwrap_or_else(PoisonError::into_inner) = Some(make);
}

/// Held by the test that uses this module: what is read is of one type at a time.
pub async fn turn() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// Stores a value of a type with `PartialEq` and `Debug`.
///
/// # Errors
///
/// If it is not shared.
pub async fn insert<T: Value>(
    cache: &TieredCache,
    key: &str,
    value: T,
    traits: Traits<T>,
) -> larder::Result<()> {
    set_current(traits);
    cache.insert(key, &Both(Arc::new(Item { value, traits })), Policy::ttl(TTL)).await
}

/// Reads such a value.
///
/// # Panics
///
/// If the key is too long.
pub async fn get<T: Value>(cache: &TieredCache, key: &str, traits: Traits<T>) -> Option<T> {
    set_current(traits);
    let found = cache.get::<Both>(key).await.expect("the key is valid")?;
    found.0.as_any().downcast_ref::<T>().cloned()
}

impl<T: Value, W: Wrapper> Case for Through<T, W> {
    fn count(&self) -> usize {
        (self.0.values)().len()
    }

    fn store<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, larder::Result<()>> {
        set_current(self.0.traits);
        let held = Arc::new(Item { value: self.0.value(at.value), traits: self.0.traits });
        Box::pin(self.1.store(cache, at, W::new(held)))
    }

    fn read<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, Found> {
        set_current(self.0.traits);
        Box::pin(async move {
            let found = self.1.read(cache, at).await;
            let found = found.as_ref().and_then(|found| found.held().as_any().downcast_ref::<T>());
            Found::of(&self.0.value(at.value), found, &self.0.traits)
        })
    }
}
