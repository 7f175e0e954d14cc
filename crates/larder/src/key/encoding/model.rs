//! What a serializer can see, as a value; to be made from any bytes, encoded, and read back from the encoding.

use std::collections::HashSet;

use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap as _, SerializeSeq as _, SerializeStruct as _, SerializeStructVariant as _,
        SerializeTuple as _, SerializeTupleStruct as _, SerializeTupleVariant as _,
    },
};

use super::{
    bytes::{Tag, Unserializable},
    encode,
};

/// Names are `'static` for serde.
const NAMES: [&str; 8] = ["", "a", "b", "ab", "A", "é", "a\0", "Some"];

/// Every call of a [`Serializer`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Model {
    Bool(bool),
    /// A tag, and the bytes of an integer, a float or a `char`.
    Fixed(u8, Vec<u8>),
    Str(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Model>),
    Unit,
    UnitStruct(&'static str),
    UnitVariant(Variant),
    NewtypeStruct(&'static str, Box<Model>),
    NewtypeVariant(Variant, Box<Model>),
    Seq(Vec<Model>),
    Set(Vec<Model>),
    Tuple(Vec<Model>),
    TupleStruct(&'static str, Vec<Model>),
    TupleVariant(Variant, Vec<Model>),
    Map(Vec<(Model, Model)>),
    Struct(&'static str, Vec<(&'static str, Model)>),
    StructVariant(Variant, Vec<(&'static str, Model)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    of: &'static str,
    index: u32,
    name: &'static str,
}

/// The tags of what has a fixed length, and the length.
const FIXED: [(Tag, usize); 13] = [
    (Tag::I8, 1),
    (Tag::I16, 2),
    (Tag::I32, 4),
    (Tag::I64, 8),
    (Tag::I128, 16),
    (Tag::U8, 1),
    (Tag::U16, 2),
    (Tag::U32, 4),
    (Tag::U64, 8),
    (Tag::U128, 16),
    (Tag::F32, 4),
    (Tag::F64, 8),
    (Tag::Char, 4),
];

impl Model {
    /// Some value, whatever the bytes are.
    pub(super) fn from_bytes(bytes: &mut &[u8], depth: u8) -> Self {
        let next = |bytes: &mut &[u8]| byte(bytes);
        let leaf = depth == 0;
        match next(bytes) % if leaf { 22 } else { 34 } {
            0 => Self::Bool(next(bytes) % 2 == 0),
            at @ 1..14 => {
                let (tag, length) = FIXED[usize::from(at) - 1];
                let mut value: Vec<u8> = (0..length).map(|_| byte(bytes)).collect();
                if tag as u8 == Tag::Char as u8 {
                    value = u32::from(char::from(value[0])).to_le_bytes().to_vec();
                }
                Self::Fixed(tag as u8, value)
            }
            14 | 15 => Self::Str(text(bytes)),
            16 => Self::Bytes(text(bytes).into_bytes()),
            17 => Self::None,
            18 => Self::Unit,
            19 => Self::UnitStruct(name(bytes)),
            20 | 21 => Self::UnitVariant(variant(bytes)),
            22 | 23 => Self::Some(Box::new(Self::from_bytes(bytes, depth - 1))),
            24 => Self::NewtypeStruct(name(bytes), Box::new(Self::from_bytes(bytes, depth - 1))),
            25 => Self::NewtypeVariant(variant(bytes), Box::new(Self::from_bytes(bytes, depth - 1))),
            26 => Self::Seq(Self::several(bytes, depth)),
            27 => Self::Set(distinct(Self::several(bytes, depth))),
            28 => Self::Tuple(Self::several(bytes, depth)),
            29 => Self::TupleStruct(name(bytes), Self::several(bytes, depth)),
            30 => Self::TupleVariant(variant(bytes), Self::several(bytes, depth)),
            31 => {
                let keys = Self::several(bytes, depth);
                Self::Map(keys.into_iter().map(|key| (key, Self::from_bytes(bytes, depth - 1))).collect())
            }
            32 => Self::Struct(name(bytes), Self::fields(bytes, depth)),
            _ => Self::StructVariant(variant(bytes), Self::fields(bytes, depth)),
        }
    }

    fn several(bytes: &mut &[u8], depth: u8) -> Vec<Self> {
        (0..byte(bytes) % 4).map(|_| Self::from_bytes(bytes, depth - 1)).collect()
    }

    fn fields(bytes: &mut &[u8], depth: u8) -> Vec<(&'static str, Self)> {
        (0..byte(bytes) % 4).map(|_| (name(bytes), Self::from_bytes(bytes, depth - 1))).collect()
    }

    /// The same value, with maps and sets in the order in which they are encoded.
    pub(super) fn canonical(self) -> Self {
        let bytes = |value: &Self| encode(value).expect("every model has an encoding");
        let boxed = |value: Box<Self>| Box::new(value.canonical());
        let all = |values: Vec<Self>| -> Vec<Self> { values.into_iter().map(Self::canonical).collect() };
        let fields = |fields: Vec<(&'static str, Self)>| -> Vec<_> {
            fields.into_iter().map(|(name, value)| (name, value.canonical())).collect()
        };
        match self {
            Self::Some(value) => Self::Some(boxed(value)),
            Self::NewtypeStruct(name, value) => Self::NewtypeStruct(name, boxed(value)),
            Self::NewtypeVariant(variant, value) => Self::NewtypeVariant(variant, boxed(value)),
            Self::Seq(values) => Self::Seq(all(values)),
            Self::Tuple(values) => Self::Tuple(all(values)),
            Self::TupleStruct(name, values) => Self::TupleStruct(name, all(values)),
            Self::TupleVariant(variant, values) => Self::TupleVariant(variant, all(values)),
            Self::Struct(name, values) => Self::Struct(name, fields(values)),
            Self::StructVariant(variant, values) => Self::StructVariant(variant, fields(values)),
            Self::Set(values) => {
                let mut values = all(values);
                values.sort_by_key(bytes);
                Self::Set(values)
            }
            Self::Map(entries) => {
                let mut entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| (key.canonical(), value.canonical())).collect();
                entries.sort_by_key(|(key, _)| bytes(key));
                Self::Map(entries)
            }
            leaf => leaf,
        }
    }

    /// Reads an encoding: what was written, and what follows it.
    pub(super) fn decode(encoded: &mut &[u8]) -> Self {
        let tag = byte(encoded);
        if let Some((_, length)) = FIXED.iter().find(|(fixed, _)| *fixed as u8 == tag) {
            return Self::Fixed(tag, split(encoded, *length).to_vec());
        }
        let is = |wanted: Tag| wanted as u8 == tag;
        match () {
            () if is(Tag::False) || is(Tag::True) => Self::Bool(is(Tag::True)),
            () if is(Tag::Str) => Self::Str(counted(encoded)),
            () if is(Tag::Bytes) => Self::Bytes(counted(encoded).into_bytes()),
            () if is(Tag::None) => Self::None,
            () if is(Tag::Some) => Self::Some(Box::new(Self::decode(encoded))),
            () if is(Tag::Unit) => Self::Unit,
            () if is(Tag::UnitStruct) => Self::UnitStruct(known(encoded)),
            () if is(Tag::UnitVariant) => Self::UnitVariant(Variant::decode(encoded)),
            () if is(Tag::NewtypeStruct) => {
                Self::NewtypeStruct(known(encoded), Box::new(Self::decode(encoded)))
            }
            () if is(Tag::NewtypeVariant) => {
                Self::NewtypeVariant(Variant::decode(encoded), Box::new(Self::decode(encoded)))
            }
            () if is(Tag::Seq) => Self::Seq(until_end(encoded, Self::decode)),
            () if is(Tag::Set) => Self::Set(until_end(encoded, Self::decode)),
            () if is(Tag::Tuple) => Self::Tuple(until_end(encoded, Self::decode)),
            () if is(Tag::TupleStruct) => Self::TupleStruct(known(encoded), until_end(encoded, Self::decode)),
            () if is(Tag::TupleVariant) => {
                Self::TupleVariant(Variant::decode(encoded), until_end(encoded, Self::decode))
            }
            () if is(Tag::Map) => {
                let entry = |encoded: &mut &[u8]| (Self::decode(encoded), Self::decode(encoded));
                Self::Map(until_end(encoded, entry))
            }
            () if is(Tag::Struct) => Self::Struct(known(encoded), until_end(encoded, field)),
            () if is(Tag::StructVariant) => {
                Self::StructVariant(Variant::decode(encoded), until_end(encoded, field))
            }
            () => panic!("no value begins with {tag}"),
        }
    }
}

impl Variant {
    fn decode(encoded: &mut &[u8]) -> Self {
        let of = known(encoded);
        let index = u32::from_le_bytes(split(encoded, 4).try_into().expect("four bytes"));
        assert_eq!(byte(encoded), Tag::Str as u8);
        Self { of, index, name: known(encoded) }
    }
}

/// The elements of a set: no two of them are equal, in whatever order what they contain was written.
fn distinct(mut values: Vec<Model>) -> Vec<Model> {
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(encode(value).expect("every model has an encoding").to_vec()));
    values
}

fn byte(bytes: &mut &[u8]) -> u8 {
    bytes.split_off_first().copied().unwrap_or(0)
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    bytes.split_off(..length).expect("the encoding is as long as it says")
}

fn text(bytes: &mut &[u8]) -> String {
    // Some texts are long enough for a length of two bytes.
    let length = byte(bytes);
    let text: String = (0..length % 5).map(|_| char::from(byte(bytes))).collect();
    text.repeat(if length > 250 { 40 } else { 1 })
}

fn name(bytes: &mut &[u8]) -> &'static str {
    NAMES[usize::from(byte(bytes)) % NAMES.len()]
}

fn variant(bytes: &mut &[u8]) -> Variant {
    Variant { of: name(bytes), index: byte(bytes).into(), name: name(bytes) }
}

fn counted(encoded: &mut &[u8]) -> String {
    let (mut length, mut place) = (0, 0);
    loop {
        let digit = byte(encoded);
        length |= usize::from(digit & 127) << place;
        place += 7;
        if digit < 128 {
            break;
        }
    }
    String::from_utf8(split(encoded, length).to_vec()).expect("text was written")
}

fn known(encoded: &mut &[u8]) -> &'static str {
    let name = counted(encoded);
    NAMES.into_iter().find(|known| *known == name).expect("a name was written")
}

fn field(encoded: &mut &[u8]) -> (&'static str, Model) {
    assert_eq!(byte(encoded), Tag::Str as u8);
    (known(encoded), Model::decode(encoded))
}

fn until_end<T>(encoded: &mut &[u8], one: impl Fn(&mut &[u8]) -> T) -> Vec<T> {
    let mut all = Vec::new();
    while encoded.first() != Some(&(Tag::End as u8)) {
        all.push(one(encoded));
    }
    byte(encoded);
    all
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Fixed(tag, bytes) => fixed(*tag, bytes, serializer),
            Self::Str(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::None => serializer.serialize_none(),
            Self::Some(value) => serializer.serialize_some(value),
            Self::Unit => serializer.serialize_unit(),
            Self::UnitStruct(name) => serializer.serialize_unit_struct(name),
            Self::UnitVariant(Variant { of, index, name }) => {
                serializer.serialize_unit_variant(of, *index, name)
            }
            Self::NewtypeStruct(name, value) => serializer.serialize_newtype_struct(name, value),
            Self::NewtypeVariant(Variant { of, index, name }, value) => {
                serializer.serialize_newtype_variant(of, *index, name, value)
            }
            Self::Set(values) => {
                let set: HashSet<&Self> = values.iter().collect();
                serializer.collect_seq(&set)
            }
            Self::Seq(values) => {
                let mut seq = serializer.serialize_seq(None)?;
                values.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Self::Tuple(values) => {
                let mut tuple = serializer.serialize_tuple(values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_element(value))?;
                tuple.end()
            }
            Self::TupleStruct(name, values) => {
                let mut tuple = serializer.serialize_tuple_struct(name, values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Self::TupleVariant(Variant { of, index, name }, values) => {
                let mut tuple = serializer.serialize_tuple_variant(of, *index, name, values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(None)?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Struct(name, fields) => {
                let mut object = serializer.serialize_struct(name, fields.len())?;
                fields.iter().try_for_each(|(name, value)| object.serialize_field(name, value))?;
                object.end()
            }
            Self::StructVariant(Variant { of, index, name }, fields) => {
                let mut object = serializer.serialize_struct_variant(of, *index, name, fields.len())?;
                fields.iter().try_for_each(|(name, value)| object.serialize_field(name, value))?;
                object.end()
            }
        }
    }
}

fn fixed<S: Serializer>(tag: u8, bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut low = [0; 16];
    low[..bytes.len()].copy_from_slice(bytes);
    let bits = u128::from_le_bytes(low);
    let is = |wanted: Tag| wanted as u8 == tag;
    match () {
        () if is(Tag::I8) => serializer.serialize_i8(bits as i8),
        () if is(Tag::I16) => serializer.serialize_i16(bits as i16),
        () if is(Tag::I32) => serializer.serialize_i32(bits as i32),
        () if is(Tag::I64) => serializer.serialize_i64(bits as i64),
        () if is(Tag::I128) => serializer.serialize_i128(bits as i128),
        () if is(Tag::U8) => serializer.serialize_u8(bits as u8),
        () if is(Tag::U16) => serializer.serialize_u16(bits as u16),
        () if is(Tag::U32) => serializer.serialize_u32(bits as u32),
        () if is(Tag::U64) => serializer.serialize_u64(bits as u64),
        () if is(Tag::U128) => serializer.serialize_u128(bits),
        () if is(Tag::F32) => serializer.serialize_f32(f32::from_bits(bits as u32)),
        () if is(Tag::F64) => serializer.serialize_f64(f64::from_bits(bits as u64)),
        () => serializer.serialize_char(char::from_u32(bits as u32).expect("made from a `char`")),
    }
}

/// That everything can be read back from the encoding of the value that these bytes make.
pub(super) fn check(mut bytes: &[u8]) -> Result<(), Unserializable> {
    let model = Model::from_bytes(&mut bytes, 5);
    let encoded = encode(&model)?;
    let mut rest = encoded.as_slice();
    let decoded = Model::decode(&mut rest);
    assert!(rest.is_empty(), "{rest:?} follows {model:?}");
    assert_eq!(decoded, model.canonical());
    Ok(())
}

/// Called by a fuzz target: whatever value these bytes make can be read from its encoding.
#[cfg(fuzzing)]
pub fn check_any(bytes: &[u8]) {
    check(bytes).expect("every model has an encoding");
}
