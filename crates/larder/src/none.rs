//! Whether a value is a `None`, by how it serializes: the one thing that tells for every type.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};

/// Whether the value serializes as `None`. A transparent wrapper around an `Option` does; `()`, `Some(())`
/// and an empty collection do not.
pub(crate) fn is_none<V: Serialize + ?Sized>(value: &V) -> bool {
    matches!(value.serialize(Probe), Err(Answer::None))
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
    use super::*;

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Transparent(Option<u8>);

    #[derive(Serialize)]
    struct Opaque {
        field: Option<u8>,
    }

    #[test]
    fn only_a_none_is_a_none() {
        assert!(is_none(&None::<u8>));
        assert!(is_none(&Transparent(None)));
        assert!(is_none(&&Box::new(None::<String>)));
        assert!(!is_none(&Transparent(Some(1))));
        assert!(!is_none(&Some(None::<u8>)));
        assert!(!is_none(&()));
        assert!(!is_none(&Opaque { field: None }));
        assert!(!is_none(&Vec::<u8>::new()));
        assert!(!is_none(&"null"));
        assert!(!is_none(&serde_json::json!("None")));
    }
}
