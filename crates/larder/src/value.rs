//! What can be cached, and how a cache handles values whose types it does not know.

#[cfg(feature = "redis")]
mod bytes;
#[cfg(not(feature = "redis"))]
#[path = "value/no_bytes.rs"]
mod bytes;
#[cfg(feature = "redis")]
mod comparison;
#[cfg(not(feature = "redis"))]
#[path = "value/no_comparison.rs"]
mod comparison;

use std::{
    any::{Any, type_name},
    fmt,
};

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::bytes::*;
pub(crate) use self::comparison::Comparison;

/// What can be cached: `Clone + Send + Sync + Serialize + DeserializeOwned + 'static`, on every cache, so
/// that growing from memory to a shared server changes one line.
///
/// Implemented for every such type; there is nothing to implement by hand. A type that is expensive to
/// clone is best kept as an [`Arc`](std::sync::Arc) of it (with serde's feature `rc`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached",
    label = "not a cacheable value",
    note = "a cached value is `Clone + Send + Sync + Serialize + DeserializeOwned + 'static`: \
            derive `Clone`, `serde::Serialize` and `serde::Deserialize` for it, and return owned data",
    note = "an `Arc<…>` is `Serialize` and `Deserialize` with serde's feature `rc`: \
            `cargo add serde --features derive,rc`"
)]
pub trait Value: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Value for V {}

/// A value in an entry, whatever its type.
pub(crate) trait Held: Any + Send + Sync + ToBytes {}

impl<V: Value> Held for V {}

/// The type of a wanted value, for a cache that has to make one: see [`Cache::read`](crate::Cache::read).
#[derive(Clone, Copy)]
pub struct ValueType {
    name: &'static str,
    /// The version that the user gave to the shape of the values.
    pub(crate) schema: Option<u32>,
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "nothing is ever bytes"))]
    pub(crate) from_bytes: FromBytes,
}

impl ValueType {
    const NONE: &str = "no value";

    pub(crate) fn of<V: Value>(schema: Option<u32>) -> Self {
        Self { name: type_name::<V>(), schema, from_bytes: FromBytes::of::<V>() }
    }

    /// Of entries that are wanted for all but their value, which becomes `()`.
    pub(crate) fn none() -> Self {
        Self { name: Self::NONE, schema: None, from_bytes: FromBytes::skip() }
    }

    /// Whether no value is wanted.
    #[cfg(feature = "redis")]
    pub(crate) fn is_none(&self) -> bool {
        self.name == Self::NONE
    }

    /// The type's name, as the compiler gives it: for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueType")
            .field("name", &self.name)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
