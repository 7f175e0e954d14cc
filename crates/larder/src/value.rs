//! What can be cached, and how a cache handles values whose types it does not know.

#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "values are compared with what is read back"))]
pub(crate) mod comparison;

use std::{
    any::{Any, type_name},
    fmt,
};

use serde::{Serialize, de::DeserializeOwned};

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
pub trait Value: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// How values of this type become messages, where there is a server.
    #[doc(hidden)]
    const TRANSPORT: Option<&'static Transport>;
}

#[cfg(not(feature = "redis"))]
#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Value for V {
    const TRANSPORT: Option<&'static Transport> = None;
}

/// A value of any type, in an entry.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// How values of one type become messages and back. What is in it is known to `wire` alone, which makes it where the
/// type is known: a cache carries it beside the value, and has no use for it.
#[derive(Debug)]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "there is none without a server"))]
pub struct Transport(pub(crate) &'static AnyValue);

/// The type of a wanted value, for a cache that has to make one: see [`Storage::read`](crate::Storage::read).
#[derive(Clone, Copy)]
pub struct ValueType {
    name: &'static str,
    /// The version that the user gave to the shape of the values.
    pub(crate) schema: Option<u32>,
    /// How a message becomes such a value; none if no value is wanted.
    pub(crate) transport: Option<&'static Transport>,
}

impl ValueType {
    pub(crate) fn of<V: Value>(schema: Option<u32>) -> Self {
        Self { name: type_name::<V>(), schema, transport: V::TRANSPORT }
    }

    /// Of entries that are wanted for all but their value, which becomes `()`.
    pub(crate) fn none() -> Self {
        Self { name: "no value", schema: None, transport: None }
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
