//! What a value says of itself when it serializes, as one number: to compare two values whose type need not be
//! `PartialEq`, and to stand in a fingerprint for what serde buffers.
//!
//! Encoding what was read back, and comparing the bytes, would not do: a codec that drops field names
//! can misread bytes as a value that encodes to the very same bytes, and a `HashMap` that was read back
//! has another order. So names are part of the digest, and the order of a collection is part of it only where
//! the collection is known to have one.

mod parts;

use std::{any::type_name, cell::Cell, fmt::Display};

use serde::ser::{self, Serialize, SerializeSeq, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use self::parts::Parts;
use super::{
    mix::{mix, text},
    names::Written,
    path::Paths,
};

/// One walk through a value.
#[derive(Debug)]
pub(super) struct Walk {
    human_readable: bool,
    /// Lists that are known to be lists differ if their order does. (A set serializes like a list.)
    ordered: bool,
    levels: Cell<usize>,
    least_levels: Cell<usize>,
    /// How many bytes the value may still have, of those that every codec writes.
    bytes: Cell<usize>,
    end: Cell<Option<End>>,
    /// The names of fields that were met, where they are wanted.
    pub(super) written: Option<Written>,
    /// Every part of the value with its path, where they are wanted.
    pub(super) paths: Option<Paths>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    TooDeep,
    TooLarge,
}

/// Why there is no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoDigest {
    TooDeep,
    TooLarge,
    /// The value does not serialize; in the words of its type.
    Refused(String),
}

impl Walk {
    /// A walk that goes no deeper than `deepest`, and ends when the value is surely larger than `largest` bytes.
    pub(super) fn new(human_readable: bool, deepest: usize, largest: usize) -> Self {
        Self {
            human_readable,
            ordered: true,
            levels: Cell::new(deepest),
            least_levels: Cell::new(deepest),
            bytes: Cell::new(largest),
            end: Cell::new(None),
            written: None,
            paths: None,
        }
    }

    /// One whose digest is the same in every process.
    pub(super) fn for_fingerprint(human_readable: bool, deepest: usize) -> Self {
        Self { ordered: false, ..Self::new(human_readable, deepest, usize::MAX) }
    }

    /// How many levels are left where the value is deepest.
    pub(super) fn least_levels(&self) -> usize {
        self.least_levels.get()
    }

    /// The digest of a value.
    pub(super) fn digest<V: Serialize>(&self, value: &V) -> Result<u64, NoDigest> {
        value.serialize(Digest { walk: self }).map_err(|refused| match self.end.get() {
            Some(End::TooDeep) => NoDigest::TooDeep,
            Some(End::TooLarge) => NoDigest::TooLarge,
            None => NoDigest::Refused(refused.0),
        })
    }

    #[inline]
    fn deeper(&self) -> Result<(), Refused> {
        match self.levels.get().checked_sub(1) {
            Some(levels) => {
                self.levels.set(levels);
                self.least_levels.set(self.least_levels.get().min(levels));
                Ok(())
            }
            None => self.stop(End::TooDeep),
        }
    }

    #[cold]
    fn stop<T>(&self, end: End) -> Result<T, Refused> {
        self.end.set(Some(end));
        Err(Refused(String::new()))
    }

    #[inline]
    fn back(&self) {
        self.levels.set(self.levels.get() + 1);
    }

    /// Notes a part that has no parts, and takes so many bytes at least.
    #[inline]
    fn leaf(&self, hash: u64, bytes: usize) -> Result<u64, Refused> {
        if let Some(paths) = &self.paths {
            paths.leaf(hash);
        }
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                Ok(hash)
            }
            None => self.stop(End::TooLarge),
        }
    }
}

/// Kinds, as they are mixed into digests. The numbers are part of the wire format.
mod kind {
    pub(super) const BOOL: u64 = 1;
    pub(super) const CHAR: u64 = 2;
    pub(super) const TEXT: u64 = 3;
    pub(super) const BYTES: u64 = 4;
    pub(super) const NONE: u64 = 5;
    pub(super) const SOME: u64 = 6;
    pub(super) const UNIT: u64 = 7;
    pub(super) const UNIT_STRUCT: u64 = 8;
    pub(super) const VARIANT: u64 = 9;
    pub(super) const NEWTYPE: u64 = 10;
    pub(super) const SEQ: u64 = 11;
    pub(super) const TUPLE: u64 = 12;
    pub(super) const MAP: u64 = 13;
    pub(super) const STRUCT: u64 = 14;
    pub(super) const END: u64 = 15;
    pub(super) const NUMBER: u64 = 16;
}

#[derive(Debug, Clone, Copy)]
struct Digest<'w> {
    walk: &'w Walk,
}

impl<'w> Digest<'w> {
    /// The digest of something in something.
    #[inline]
    fn inside<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        self.walk.deeper()?;
        let digest = value.serialize(self)?;
        self.walk.back();
        Ok(digest)
    }

    #[inline]
    fn parts(self, begin: u64) -> Result<Parts<'w>, Refused> {
        self.walk.deeper()?;
        Ok(Parts { digest: self, sum: begin, index: 0, key: 0, has_names: false })
    }

    fn fields(self, of: &'static str, begin: u64) -> Result<Parts<'w>, Refused> {
        let parts = self.parts(begin)?;
        if let Some(written) = &self.walk.written {
            written.begin(of);
        }
        Ok(Parts { has_names: self.walk.written.is_some(), ..parts })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl ser::Error for Refused {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
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

impl<'w> Serializer for Digest<'w> {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Parts<'w>;
    type SerializeTuple = Parts<'w>;
    type SerializeTupleStruct = Parts<'w>;
    type SerializeTupleVariant = Parts<'w>;
    type SerializeMap = Parts<'w>;
    type SerializeStruct = Parts<'w>;
    type SerializeStructVariant = Parts<'w>;

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

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'w>, Refused> {
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

    fn serialize_tuple(self, _: usize) -> Result<Parts<'w>, Refused> {
        self.parts(kind::TUPLE)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts<'w>, Refused> {
        self.parts(mix(kind::TUPLE, text(name)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, Refused> {
        self.parts(mix(kind::VARIANT, text(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'w>, Refused> {
        self.parts(kind::MAP)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'w>, Refused> {
        self.fields(name, mix(kind::STRUCT, text(name)))
    }

    fn serialize_struct_variant(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, Refused> {
        self.fields(of, mix(kind::VARIANT, text(variant)))
    }
}
