//! What can be cached, and how a cache handles values whose types it does not know.

#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "values are compared with what is read back"))]
pub(crate) mod comparison;

use std::{
    any::{Any, type_name},
    fmt,
    marker::PhantomData,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{key, option_probe, stats::Group};

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
            `cargo add serde --features derive,rc`",
    note = "with `local`, a value that is `Clone + Send + Sync + 'static` is kept in this process alone: \
            `#[cached(…, local)]`, or `cache.local()`",
    note = "a response of a web framework (`Json<User>`, `HttpResponse`) is no value: put `#[cached]` over a function that \
            returns the `User`, or cache responses with `larder_http::HttpCache`"
)]
pub trait Value: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// How values of this type become messages, where there is a server.
    #[doc(hidden)]
    const TRANSPORT: Option<&'static Transport>;
}

#[cfg(not(feature = "shared"))]
#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Value for V {
    const TRANSPORT: Option<&'static Transport> = None;
}

/// What can be kept in this process alone: `Clone + Send + Sync + 'static`.
///
/// Such a value has no serialized form, or is to have none: a compiled template, an open store, an
/// `Arc<Vec<f64>>`, a secret. Cached functions take it with the option `local`, functions that are not async always
/// do; the verbs are those of [`Local`](crate::Local) and [`Blocking`](crate::Blocking).
///
/// Implemented for every such type; there is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a cache of this process",
    label = "not a value that can be kept",
    note = "a value that stays in this process is `Clone + Send + Sync + 'static`: derive `Clone` for it or put it into an \
            `Arc`, and return owned data"
)]
pub trait LocalValue: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + 'static> LocalValue for V {}

/// A value of any type, in an entry.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// How values of one type become messages and back. What is in it is known to `wire` alone, which makes it where the
/// type is known: a cache carries it beside the value, and has no use for it.
#[derive(Debug)]
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "there is none without a server"))]
pub struct Transport(pub(crate) &'static AnyValue);

/// The type of a wanted value, for a cache that has to make one: see [`Storage::read`](crate::Storage::read).
#[derive(Clone, Copy)]
pub struct ValueType {
    name: &'static str,
    /// The version that the user gave to the shape of the values.
    pub(crate) schema: Option<u32>,
    /// How a message becomes such a value; none if no value is wanted.
    pub(crate) transport: Option<&'static Transport>,
    /// Values of it are not to leave this process.
    pub(crate) is_local: bool,
    /// For how many milliseconds memory answers alone with what is read; zero for as long as it may.
    memory_ms: u32,
    /// It is that of an error, which is kept in place of a value.
    pub(crate) is_error: bool,
    /// How a message becomes an error that may be kept in place of such a value; none if none is wanted.
    pub(crate) error_transport: Option<&'static Transport>,
    questions: &'static Questions,
    /// What is counted of it is counted under this.
    pub(crate) group: Group,
}

/// What a value of a type can be asked, whichever it is. In a table of its own: a [`ValueType`] is made for each hit.
struct Questions {
    is_none: fn(&AnyValue) -> bool,
    /// A digest of what serde sees of it; none of a type without serde.
    digest: fn(&AnyValue) -> Option<u64>,
}

static NONE: Questions = Questions { is_none: |_| false, digest: |_| None };

struct OfValue<V>(PhantomData<V>);

impl<V: Value> OfValue<V> {
    const QUESTIONS: &'static Questions = &Questions {
        is_none: |value| value.downcast_ref::<V>().is_some_and(option_probe::is_none),
        digest: |value| key::digest_of(value.downcast_ref::<V>()?),
    };
}

struct OfLocalValue<V>(PhantomData<V>);

impl<V: LocalValue> OfLocalValue<V> {
    const QUESTIONS: &'static Questions = &Questions {
        is_none: |value| value.downcast_ref::<V>().is_some_and(option_probe::is_none_itself),
        digest: |_| None,
    };
}

impl ValueType {
    pub(crate) fn of<V: Value>(schema: Option<u32>) -> Self {
        Self {
            name: type_name::<V>(),
            schema,
            transport: V::TRANSPORT,
            is_local: false,
            memory_ms: 0,
            is_error: false,
            error_transport: None,
            questions: OfValue::<V>::QUESTIONS,
            group: Group::default(),
        }
    }

    /// Of values that stay in this process.
    pub(crate) fn local<V: LocalValue>(schema: Option<u32>) -> Self {
        Self {
            name: type_name::<V>(),
            schema,
            transport: None,
            is_local: true,
            memory_ms: 0,
            is_error: false,
            error_transport: None,
            questions: OfLocalValue::<V>::QUESTIONS,
            group: Group::default(),
        }
    }

    /// Of entries that are wanted for all but their value, which becomes `()`.
    pub(crate) fn none() -> Self {
        Self {
            name: "no value",
            schema: None,
            transport: None,
            is_local: false,
            memory_ms: 0,
            is_error: false,
            error_transport: None,
            questions: &NONE,
            group: Group::default(),
        }
    }

    /// The same, where an error may be kept in place of a value.
    pub(crate) fn or_error(self, error_transport: Option<&'static Transport>) -> Self {
        Self { error_transport, ..self }
    }

    /// Of the errors that are kept in place of such values.
    pub(crate) fn of_errors(self) -> Self {
        Self {
            name: "an error that is kept",
            transport: self.error_transport,
            error_transport: None,
            is_error: true,
            questions: &NONE,
            ..self
        }
    }

    /// The same, for a policy: of what is read, memory answers alone for so long.
    pub(crate) fn kept_in_memory(self, limit: Option<Duration>) -> Self {
        let memory_ms = limit.map_or(0, |limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1));
        Self { memory_ms, ..self }
    }

    /// For how long memory answers alone with what is read, if there is a limit.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for stores that read values"))]
    pub(crate) fn memory_limit(&self) -> Option<Duration> {
        (self.memory_ms > 0).then(|| Duration::from_millis(self.memory_ms.into()))
    }

    /// The same, counted under a group.
    pub(crate) fn counted_in(self, group: Group) -> Self {
        Self { group, ..self }
    }

    /// A digest by which two values of this type are told apart, if it has one.
    pub(crate) fn digest(&self, value: &AnyValue) -> Option<u64> {
        (self.questions.digest)(value)
    }

    /// Whether a value of this type is the `None` of an `Option`.
    pub(crate) fn is_none(&self, value: &AnyValue) -> bool {
        (self.questions.is_none)(value)
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
