//! Whether a value is a `None`: by its type, so that other values that serialize as one (a `Value::Null`) are values.

use std::{
    any::type_name,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    mem::discriminant,
};

use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};

/// Whether the value is the `None` of an `Option`, or of one in a `Box` or an `Arc`. No other value is, not
/// even that of a newtype around an `Option`.
#[inline]
pub(crate) fn is_none<V: Serialize>(value: &V) -> bool {
    is_option::<V>() && matches!(value.serialize(Probe), Err(Answer::None))
}

/// Whether the value is the `None` of an `Option`, for values of any type: one in a `Box` or an `Arc` is not seen.
#[inline]
pub(crate) fn is_none_itself<V>(value: &V) -> bool {
    // Every `Option` has its variants in one order, and the type of their number in common.
    fn variant<V>(value: &V) -> u64 {
        let mut hasher = DefaultHasher::new();
        discriminant(value).hash(&mut hasher);
        hasher.finish()
    }
    type_name::<V>().starts_with(option()) && variant(value) == variant(&None::<()>)
}

/// `core::option::Option<`, as this compiler writes it.
fn option() -> &'static str {
    let name = type_name::<Option<()>>();
    name.strip_suffix("()>").unwrap_or(name)
}

/// Whether a type is an `Option`. There is no other way to ask that of any type; a test holds what the compiler
/// calls it.
#[inline]
fn is_option<V>() -> bool {
    let mut name = type_name::<V>();
    const POINTERS: [&str; 2] = ["alloc::boxed::Box<", "alloc::sync::Arc<"];
    while let Some(inner) = POINTERS.iter().find_map(|pointer| name.strip_prefix(pointer)) {
        name = inner;
    }
    name.starts_with(option())
}

/// Stops at the first thing that a value says of itself.
struct Probe;

#[derive(Debug)]
enum Answer {
    None,
    Other,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not meant to be seen")
    }
}

impl std::error::Error for Answer {}

impl ser::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }
}

macro_rules! other {
    ($($method:ident($($argument:ty),*) $(-> $compound:ident)?;)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<other!(@ok $($compound)?), Answer> {
            Err(Answer::Other)
        }
    )+};
    (@ok) => { Self::Ok };
    (@ok $compound:ident) => { Self::$compound };
}

type Never = Impossible<(), Answer>;

impl Serializer for Probe {
    type Ok = ();
    type Error = Answer;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_none(self) -> Result<(), Answer> {
        Err(Answer::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Answer> {
        Err(Answer::Other)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<(), Answer> {
        Err(Answer::Other)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Answer> {
        Err(Answer::Other)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Answer> {
        Err(Answer::Other)
    }

    other! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// As `pbjson_types::Value` and `async_graphql::Value` do.
    struct Null;

    impl Serialize for Null {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_none()
        }
    }

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Transparent(Option<u8>);

    #[derive(Serialize)]
    struct Opaque {
        field: Option<u8>,
    }

    #[test]
    fn only_the_none_of_an_option_is_a_none() {
        assert!(is_none(&None::<u8>));
        assert!(is_none(&None::<Null>));
        assert!(is_none(&Box::new(None::<String>)));
        assert!(!is_none(&Some(None::<u8>)));
        assert!(!is_none(&Some(Null)));
        assert!(!is_none(&Some(1)));
    }

    #[test]
    fn what_serializes_like_a_none_is_a_value() {
        assert!(!is_none(&Null));
        assert!(!is_none(&Transparent(None)));
        assert!(!is_none(&Box::new(Null)));
        assert!(!is_none(&serde_json::Value::Null));
        assert!(!is_none(&()));
        assert!(!is_none(&Opaque { field: None }));
        assert!(!is_none(&vec![None::<u8>]));
    }

    #[test]
    fn a_none_is_seen_without_serde() {
        struct Plain;
        assert!(
            is_none_itself(&None::<u8>) && is_none_itself(&None::<Plain>) && is_none_itself(&None::<&str>)
        );
        assert!(is_none_itself(&None::<Option<Box<u8>>>) && is_none_itself(&None::<Box<dyn Fn() + Send>>));
        assert!(
            !is_none_itself(&Some(None::<u8>)) && !is_none_itself(&Some(Plain)) && !is_none_itself(&Some(""))
        );
        assert!(!is_none_itself(&Plain) && !is_none_itself(&false) && !is_none_itself(&Ok::<u8, u8>(1)));
        assert!(!is_none_itself(&Box::new(None::<u8>)));
    }

    /// What the compiler calls a type is no promise of it: if it calls it otherwise, this fails, and not a user's cache.
    #[test]
    fn a_type_is_known_by_its_name() {
        assert!(is_option::<Option<Option<u8>>>() && is_option::<Arc<Option<Null>>>());
        assert!(!is_option::<Null>() && !is_option::<(Option<u8>,)>() && !is_option::<Vec<Option<u8>>>());
    }
}
