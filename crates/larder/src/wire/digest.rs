//! Whether two values are the same, by how they serialize: cached types need not be `PartialEq`.
//!
//! Encoding what was read back, and comparing the bytes, would not do: a codec that drops field names
//! can misread bytes as a value that encodes to the very same bytes, and a `HashMap` that was read back
//! has another order. So names are part of the digest, and the order of a collection is not (a set
//! serializes like a list; no codec changes the order of a list).

use std::fmt::Display;

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Whether `one` and `other` serialize alike. Not if one of them does not serialize at all.
pub(super) fn same<V: Serialize>(one: &V, other: &V, human_readable: bool) -> bool {
    let digest = |value: &V| value.serialize(Digest { human_readable }).ok();
    digest(one).is_some_and(|one| digest(other) == Some(one))
}

#[derive(Clone, Copy)]
struct Digest {
    human_readable: bool,
}

impl Digest {
    fn of<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        value.serialize(self)
    }

    fn parts(self, begin: u64) -> Parts {
        Parts { digest: self, sum: begin, key: 0 }
    }
}

/// The digest of what has a name or a kind, and then something inside.
fn with(kind: &str, inside: u64) -> u64 {
    xxh3_64_with_seed(kind.as_bytes(), inside)
}

fn leaf(kind: &str, bytes: &[u8]) -> u64 {
    with(kind, xxh3_64(bytes))
}

#[derive(Debug, thiserror::Error)]
#[error("does not serialize")]
struct Refused;

impl ser::Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty;)+) => {$(
        fn $method(self, value: $type) -> Result<u64, Refused> {
            Ok(leaf(stringify!($type), &value.to_le_bytes()))
        }
    )+};
}

impl Serializer for Digest {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    numbers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
        serialize_f32: f32;
        serialize_f64: f64;
    }

    fn is_human_readable(&self) -> bool {
        self.human_readable
    }

    fn serialize_bool(self, value: bool) -> Result<u64, Refused> {
        Ok(leaf("bool", &[value.into()]))
    }

    fn serialize_char(self, value: char) -> Result<u64, Refused> {
        Ok(leaf("char", &u32::from(value).to_le_bytes()))
    }

    fn serialize_str(self, value: &str) -> Result<u64, Refused> {
        Ok(leaf("str", value.as_bytes()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<u64, Refused> {
        Ok(leaf("bytes", value))
    }

    fn serialize_none(self) -> Result<u64, Refused> {
        Ok(leaf("none", &[]))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        Ok(with("some", self.of(value)?))
    }

    fn serialize_unit(self) -> Result<u64, Refused> {
        Ok(leaf("unit", &[]))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<u64, Refused> {
        Ok(leaf("unit", name.as_bytes()))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<u64, Refused> {
        Ok(leaf("variant", variant.as_bytes()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(with(name, self.of(value)?))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(with(variant, self.of(value)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("seq", &[])))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("tuple", &[])))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("tuple", name.as_bytes())))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("variant", variant.as_bytes())))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("map", &[])))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("struct", name.as_bytes())))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(self.parts(leaf("variant", variant.as_bytes())))
    }
}

/// A compound, so far.
struct Parts {
    digest: Digest,
    sum: u64,
    key: u64,
}

impl Parts {
    /// Adds what counts wherever it stands.
    fn add(&mut self, part: u64) {
        self.sum = self.sum.wrapping_add(with("part", part));
    }

    /// Adds what counts by its place.
    fn next(&mut self, part: u64) {
        self.sum = with("next", self.sum).wrapping_add(with("part", part));
    }
}

macro_rules! compounds {
    ($($of:ident: $method:ident($(($name:ident))?) by $add:ident;)+) => {$(
        impl $of for Parts {
            type Ok = u64;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), Refused> {
                let part = self.digest.of(value)?;
                $(let part = with($name, part);)?
                self.$add(part);
                Ok(())
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(with("end", self.sum))
            }
        }
    )+};
}

compounds! {
    SerializeSeq: serialize_element() by add;
    SerializeTuple: serialize_element() by next;
    SerializeTupleStruct: serialize_field() by next;
    SerializeTupleVariant: serialize_field() by next;
    SerializeStruct: serialize_field((name)) by next;
    SerializeStructVariant: serialize_field((name)) by next;
}

impl SerializeMap for Parts {
    type Ok = u64;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.key = self.digest.of(key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let value = self.digest.of(value)?;
        let key = self.key;
        self.add(with("entry", key ^ value.rotate_left(1)));
        Ok(())
    }

    fn end(self) -> Result<u64, Refused> {
        Ok(with("end", self.sum))
    }
}
