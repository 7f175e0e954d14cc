//! What a value says of itself when it serializes, as one number: to compare two values whose type need not be
//! `PartialEq`, and to stand in a fingerprint for what serde buffers.
//!
//! Encoding what was read back, and comparing the bytes, would not do: a codec that drops field names
//! can misread bytes as a value that encodes to the very same bytes, and a `HashMap` that was read back
//! has another order. So names are part of the digest, and the order of a collection is part of it only where
//! the collection is known to have one.

mod parts;

use std::any::type_name;

use serde::ser::{Serialize, SerializeSeq, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use self::parts::Parts;
use super::{
    mix::{mix, text},
    walk::{NoDigest, Refused, Walk, kind},
};

impl Walk {
    /// The digest of a value.
    pub(super) fn digest<V: Serialize>(&self, value: &V) -> Result<u64, NoDigest> {
        value.serialize(DigestSerializer { walk: self }).map_err(|refused| self.no_digest(refused))
    }
}

/// A compound on its way to a digest.
type Compound<'w> = Parts<'w, DigestSerializer<'w>>;

#[derive(Debug, Clone, Copy)]
struct DigestSerializer<'w> {
    walk: &'w Walk,
}

impl<'w> DigestSerializer<'w> {
    /// The digest of something in something.
    #[inline]
    fn inside<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        self.walk.deeper()?;
        let digest = value.serialize(self)?;
        self.walk.back();
        Ok(digest)
    }

    #[inline]
    fn parts(self, begin: u64) -> Result<Compound<'w>, Refused> {
        self.walk.deeper()?;
        Ok(Parts { digest: self, walk: self.walk, sum: begin, index: 0, key: 0, has_names: false })
    }

    fn fields(self, of: &'static str, begin: u64) -> Result<Compound<'w>, Refused> {
        let parts = self.parts(begin)?;
        if let Some(written) = &self.walk.written {
            written.begin(of);
        }
        Ok(Parts { has_names: self.walk.written.is_some(), ..parts })
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty = $kind:literal, |$value:ident| $hash:expr;)+) => {$(
        #[inline]
        fn $method(self, $value: $type) -> Result<u64, Refused> {
            self.walk.leaf(mix(kind::NUMBER + $kind, $hash), 1)
        }
    )+};
}

/// Whether iterating over this visits things in an order that means something. Others may have one too.
fn has_order<I>() -> bool {
    let name = type_name::<I>().trim_start_matches('&');
    name.starts_with('[')
        || name.starts_with("alloc::vec::Vec<")
        || name.starts_with("alloc::collections::vec_deque::")
}

impl<'w> Serializer for DigestSerializer<'w> {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Compound<'w>;
    type SerializeTuple = Compound<'w>;
    type SerializeTupleStruct = Compound<'w>;
    type SerializeTupleVariant = Compound<'w>;
    type SerializeMap = Compound<'w>;
    type SerializeStruct = Compound<'w>;
    type SerializeStructVariant = Compound<'w>;

    numbers! {
        serialize_i8: i8 = 0, |value| i64::from(value) as u64;
        serialize_i16: i16 = 1, |value| i64::from(value) as u64;
        serialize_i32: i32 = 2, |value| i64::from(value) as u64;
        serialize_i64: i64 = 3, |value| value as u64;
        serialize_i128: i128 = 4, |value| mix(value as u64, (value >> 64) as u64);
        serialize_u8: u8 = 5, |value| value.into();
        serialize_u16: u16 = 6, |value| value.into();
        serialize_u32: u32 = 7, |value| value.into();
        serialize_u64: u64 = 8, |value| value;
        serialize_u128: u128 = 9, |value| mix(value as u64, (value >> 64) as u64);
        serialize_f32: f32 = 10, |value| value.to_bits().into();
        serialize_f64: f64 = 11, |value| value.to_bits();
    }

    fn is_human_readable(&self) -> bool {
        self.walk.human_readable
    }

    fn serialize_bool(self, value: bool) -> Result<u64, Refused> {
        self.walk.leaf(mix(kind::BOOL, value.into()), 1)
    }

    fn serialize_char(self, value: char) -> Result<u64, Refused> {
        self.walk.leaf(mix(kind::CHAR, u32::from(value).into()), 1)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<u64, Refused> {
        if let Some(written) = &self.walk.written {
            written.text();
        }
        self.walk.leaf(mix(kind::TEXT, text(value)), value.len())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<u64, Refused> {
        self.walk.leaf(mix(kind::BYTES, xxh3_64(value)), value.len())
    }

    fn serialize_none(self) -> Result<u64, Refused> {
        self.walk.leaf(kind::NONE, 0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        Ok(mix(kind::SOME, self.inside(value)?))
    }

    fn serialize_unit(self) -> Result<u64, Refused> {
        self.walk.leaf(kind::UNIT, 0)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<u64, Refused> {
        self.walk.leaf(mix(kind::UNIT_STRUCT, text(name)), 0)
    }

    fn serialize_unit_variant(self, of: &'static str, _: u32, variant: &'static str) -> Result<u64, Refused> {
        if let Some(written) = &self.walk.written {
            written.unit_variant(of);
        }
        self.walk.leaf(mix(kind::VARIANT, text(variant)), 0)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(mix(mix(kind::NEWTYPE, text(name)), self.inside(value)?))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(mix(mix(kind::VARIANT, text(variant)), self.inside(value)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w>, Refused> {
        self.parts(kind::SEQ)
    }

    fn collect_seq<I>(self, items: I) -> Result<u64, Refused>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let ordered = self.walk.ordered && has_order::<I>();
        let mut parts = self.parts(kind::SEQ)?;
        for item in items {
            let part = parts.part(&item)?;
            if ordered { parts.next(part) } else { parts.add(part) }
        }
        SerializeSeq::end(parts)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w>, Refused> {
        self.parts(kind::TUPLE)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Compound<'w>, Refused> {
        self.parts(mix(kind::TUPLE, text(name)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Refused> {
        self.parts(mix(kind::VARIANT, text(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w>, Refused> {
        self.parts(kind::MAP)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'w>, Refused> {
        self.fields(name, mix(kind::STRUCT, text(name)))
    }

    fn serialize_struct_variant(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Refused> {
        self.fields(of, mix(kind::VARIANT, text(variant)))
    }
}
