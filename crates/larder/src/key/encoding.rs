//! Bytes for a value, from which everything that serde sees of it could be read again: two values that serde can
//! tell apart never have the same bytes, so that a digest of them is as good as the digest is.
//!
//! A value is a tag and what belongs to it. Numbers are little-endian, at the width of their type; floats are their
//! bits, so that `0.0`, `-0.0` and every NaN are values of their own. Text, bytes and names are preceded by their
//! length. What contains other values ends in a tag that no value begins with.
//!
//! The entries of a map are in the order of their keys' bytes, and the elements of a hash set in that of their own:
//! the order in which a hash table iterates differs from process to process.
//!
//! What is encoded is part of keys that other processes and releases use: golden tests hold it.

mod bytes;
mod compound;
#[cfg(any(test, fuzzing))]
mod model;
mod number;
mod unordered;

use serde::{Serialize, Serializer, ser};

pub(super) use self::bytes::Unserializable;
use self::bytes::{Buffer, Tag, Write, counted};
#[cfg(fuzzing)]
pub use self::model::check_any as check;

/// The value's bytes.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Buffer, Unserializable> {
    let mut out = Buffer::new();
    Encoding::write(value, &mut out)?;
    Ok(out)
}

/// This encoding, for what is in a compound.
struct Encoding;

impl Write for Encoding {
    fn write<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), Unserializable> {
        value.serialize(Encoder { out, ty: std::any::type_name::<T>() })
    }
}

type Items<'a> = compound::Items<'a, Encoding>;
type Entries<'a> = compound::Entries<'a, Encoding>;
type Fields<'a> = compound::Fields<'a, Encoding>;

/// Writes one value.
struct Encoder<'a> {
    out: &'a mut Buffer,
    /// The value's type.
    ty: &'static str,
}

impl<'a> Encoder<'a> {
    fn tag(self, tag: Tag) -> &'a mut Buffer {
        self.out.push(tag as u8);
        self.out
    }

    fn fixed<const N: usize>(self, tag: Tag, bytes: [u8; N]) -> Result<(), Unserializable> {
        self.tag(tag).extend_from_slice(&bytes);
        Ok(())
    }

    fn variable(self, tag: Tag, bytes: &[u8]) -> Result<(), Unserializable> {
        counted(self.out, tag, bytes);
        Ok(())
    }

    fn named(self, tag: Tag, name: &str) -> &'a mut Buffer {
        counted(self.out, tag, name.as_bytes());
        self.out
    }

    fn variant(self, tag: Tag, name: &str, index: u32, variant: &str) -> &'a mut Buffer {
        let out = self.named(tag, name);
        out.extend_from_slice(&index.to_le_bytes());
        counted(out, Tag::Str, variant.as_bytes());
        out
    }
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Unserializable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Unserializable> {
        self.tag(if value { Tag::True } else { Tag::False });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unserializable> {
        self.fixed(Tag::I8, value.to_le_bytes())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unserializable> {
        self.fixed(Tag::I16, value.to_le_bytes())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unserializable> {
        self.fixed(Tag::I32, value.to_le_bytes())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unserializable> {
        self.fixed(Tag::I64, value.to_le_bytes())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Unserializable> {
        self.fixed(Tag::I128, value.to_le_bytes())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unserializable> {
        self.fixed(Tag::U8, value.to_le_bytes())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unserializable> {
        self.fixed(Tag::U16, value.to_le_bytes())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unserializable> {
        self.fixed(Tag::U32, value.to_le_bytes())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unserializable> {
        self.fixed(Tag::U64, value.to_le_bytes())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Unserializable> {
        self.fixed(Tag::U128, value.to_le_bytes())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unserializable> {
        self.fixed(Tag::F32, value.to_bits().to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unserializable> {
        self.fixed(Tag::F64, value.to_bits().to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), Unserializable> {
        self.fixed(Tag::Char, u32::from(value).to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Result<(), Unserializable> {
        self.variable(Tag::Str, value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unserializable> {
        self.variable(Tag::Bytes, value)
    }

    fn serialize_none(self) -> Result<(), Unserializable> {
        self.tag(Tag::None);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unserializable> {
        Encoding::write(value, self.tag(Tag::Some))
    }

    fn serialize_unit(self) -> Result<(), Unserializable> {
        self.tag(Tag::Unit);
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Unserializable> {
        self.named(Tag::UnitStruct, name);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Unserializable> {
        self.variant(Tag::UnitVariant, name, index, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unserializable> {
        Encoding::write(value, self.named(Tag::NewtypeStruct, name))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unserializable> {
        Encoding::write(value, self.variant(Tag::NewtypeVariant, name, index, variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Unserializable> {
        match unordered::iterates(self.ty) {
            true => Ok(Items::unordered(self.tag(Tag::Set))),
            false => Ok(Items::ordered(self.tag(Tag::Seq))),
        }
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Unserializable> {
        Ok(Items::ordered(self.tag(Tag::Tuple)))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Items<'a>, Unserializable> {
        Ok(Items::ordered(self.named(Tag::TupleStruct, name)))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Unserializable> {
        Ok(Items::ordered(self.variant(Tag::TupleVariant, name, index, variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Unserializable> {
        Ok(Entries::new(self.tag(Tag::Map)))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Unserializable> {
        let start = self.out.len();
        Ok(Fields::of_struct(start, self.named(Tag::Struct, name), name))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Unserializable> {
        Ok(Fields::of_variant(self.variant(Tag::StructVariant, name, index, variant)))
    }

    /// The sets of std and hashbrown come this way, whatever holds them.
    fn collect_seq<I>(self, items: I) -> Result<(), Unserializable>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let unordered = unordered::iterates(std::any::type_name::<I>());
        let ty = if unordered { std::any::type_name::<I>() } else { self.ty };
        let mut seq = Encoder { out: self.out, ty }.serialize_seq(None)?;
        for item in items {
            ser::SerializeSeq::serialize_element(&mut seq, &item)?;
        }
        ser::SerializeSeq::end(seq)
    }
}

#[cfg(test)]
mod tests;
