//! What encodings are made of.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

use serde::{Serialize, ser};
use smallvec::SmallVec;

/// Long enough for most arguments.
pub(in crate::key) type Buffer = SmallVec<[u8; 256]>;

/// How a value is encoded that is a part of another one.
pub(super) trait Write {
    /// Appends the encoding of a value.
    fn write<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), Unserializable>;
}

/// Why a value has no encoding: its `Serialize` says so.
#[derive(Debug)]
pub(in crate::key) struct Unserializable(String);

impl Display for Unserializable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unserializable {}

impl ser::Error for Unserializable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What a value begins with. The numbers are part of keys: they are never used for something else.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Tag {
    /// Ends what contains other values.
    End = 0,
    False = 1,
    True = 2,
    I8 = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    I128 = 7,
    U8 = 8,
    U16 = 9,
    U32 = 10,
    U64 = 11,
    U128 = 12,
    F32 = 13,
    F64 = 14,
    Char = 15,
    Str = 16,
    Bytes = 17,
    None = 18,
    Some = 19,
    Unit = 20,
    UnitStruct = 21,
    UnitVariant = 22,
    NewtypeStruct = 23,
    NewtypeVariant = 24,
    Seq = 25,
    Tuple = 26,
    TupleStruct = 27,
    TupleVariant = 28,
    Map = 29,
    Struct = 30,
    StructVariant = 31,
    /// A sequence without an order.
    Set = 32,
}

/// Bytes after a tag and their number: seven bits a byte, the lowest first, the highest bit set where more follow.
pub(super) fn counted(out: &mut Buffer, tag: Tag, bytes: &[u8]) {
    out.push(tag as u8);
    let mut rest = bytes.len();
    while rest > 127 {
        out.push((rest & 127) as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(bytes);
}
