//! Fields that are left out, on one side or on both.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    row::{Expected, REFUSED},
    table,
};

/// What is the same under every codec, but not under one that does not name its fields.
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

/// A field that neither side knows of: no serialized form shows that it is lost.
const UNSEEN: Expected = REFUSED.unseen("`skip`: no serialized form has the field");

macro_rules! structs {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        struct $name { $($body)* }
    )*};
}

fn ten() -> u8 {
    10
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn is_ten(number: &u8) -> bool {
    *number == 10
}

structs! {
    Skip { id: u64, #[serde(skip)] secret: String }
    SkipOption { id: u64, #[serde(skip)] cached: Option<u8> }
    SkipDefault { id: u64, #[serde(skip, default = "ten")] level: u8 }
    SkipLast { #[serde(skip)] first: u8, second: u8 }
    SkipDeserializing { #[serde(skip_deserializing)] id: u64, name: String }
    SkipDeserializingDefault { #[serde(skip_deserializing, default = "ten")] id: u8, name: String }
    SkipDeserializingOption { name: String, #[serde(skip_deserializing)] id: Option<u64> }
    SkipDeserializingStrict { #[serde(skip_deserializing)] id: u64, name: String }
    SkipSerializing { name: String, #[serde(skip_serializing)] hash: String }
    SkipSerializingOption { name: String, #[serde(skip_serializing)] hash: Option<String> }
    SkipSerializingDefault { name: String, #[serde(skip_serializing, default)] hash: String }
    SkipSerializingDefaultTen { name: String, #[serde(skip_serializing, default = "ten")] level: u8 }
    SkipSerializingFirst { #[serde(skip_serializing, default)] hash: u8, name: u8 }
    SkipIfNone { id: u8, #[serde(skip_serializing_if = "Option::is_none")] name: Option<String>, last: u8 }
    SkipIfNoneDefault {
        id: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    SkipIfNoneNested {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Option<u8>>,
    }
    SkipIfEmpty { id: u8, #[serde(skip_serializing_if = "Vec::is_empty")] items: Vec<u8> }
    SkipIfEmptyDefault {
        id: u8,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        items: Vec<u8>,
    }
    SkipIfEmptyMap {
        #[serde(default, skip_serializing_if = "HashMap::is_empty")]
        items: HashMap<String, u8>,
        id: u8,
    }
    SkipIfZero { id: u8, #[serde(default, skip_serializing_if = "is_zero")] level: u8 }
    SkipIfZeroTen { id: u8, #[serde(default = "ten", skip_serializing_if = "is_zero")] level: u8 }
    SkipIfTen { id: u8, #[serde(default = "ten", skip_serializing_if = "is_ten")] level: u8 }
    SkipIfEmptyText { #[serde(default, skip_serializing_if = "String::is_empty")] name: String, id: u8 }
    SkipIfTwo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<u8>,
    }
    #[serde(default)]
    DefaultStruct { id: u8, #[serde(skip_serializing_if = "is_zero")] level: u8 }
    DefaultField { id: u8, #[serde(default)] level: u8, #[serde(default = "ten")] other: u8 }
    #[serde(deny_unknown_fields)]
    Strict { id: u8, #[serde(default)] level: Option<u8> }
    #[serde(deny_unknown_fields)]
    StrictSkipDeserializing { id: u8, #[serde(skip_deserializing)] level: u8 }
    InVec { items: Vec<SkipSerializingOption> }
}

impl Default for DefaultStruct {
    fn default() -> Self {
        Self { id: 0, level: 10 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SkipInTuple(u8, #[serde(skip)] u8, u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SkipSerializingInTuple(u8, #[serde(skip_serializing, default)] u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SkipIfInTuple(u8, #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Variants {
    Kept,
    #[serde(skip)]
    Skipped,
    #[serde(skip_serializing)]
    Unwritten(u8),
    #[serde(skip_deserializing)]
    Unread(u8),
    Fields {
        #[serde(skip)]
        secret: u8,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        name: Option<u8>,
    },
    Last(u8),
}

/// Neither `PartialEq` nor `Debug`: only serde tells.
#[derive(Clone, Serialize, Deserialize)]
struct Silent {
    name: String,
    #[expect(dead_code, reason = "serde alone reads it")]
    #[serde(skip_serializing)]
    hash: Option<String>,
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    "skip": Skip = [Skip { id: 1, secret: text() }] => UNSEEN;
    "skip, at its default": Skip = [Skip { id: 1, secret: String::new() }];
    "skip of an Option": SkipOption = [SkipOption { id: 1, cached: Some(2) }] => UNSEEN;
    "skip of an Option, None": SkipOption = [SkipOption { id: 1, cached: None }];
    "skip with a default": SkipDefault = [SkipDefault { id: 1, level: 0 }] => UNSEEN;
    "skip with a default, at it": SkipDefault = [SkipDefault { id: 1, level: 10 }];
    "skip of the first field": SkipLast = [SkipLast { first: 1, second: 2 }] => UNSEEN;
    "skip in a tuple struct": SkipInTuple = [SkipInTuple(1, 2, 3)] => UNSEEN;
    "skip in a tuple struct, at its default": SkipInTuple = [SkipInTuple(1, 0, 3)];
    "skip_deserializing of an id": SkipDeserializing = [SkipDeserializing { id: 7, name: text() }] => REFUSED;
    "skip_deserializing of an id, at its default": SkipDeserializing = [SkipDeserializing { id: 0, name: text() }]
        => NOT_BINCODE;
    "skip_deserializing with a default": SkipDeserializingDefault = [SkipDeserializingDefault { id: 7, name: text() }]
        => REFUSED;
    "skip_deserializing of an Option": SkipDeserializingOption = [
        SkipDeserializingOption { name: text(), id: Some(7) },
    ] => REFUSED;
    "skip_deserializing in a strict struct": StrictSkipDeserializing = [StrictSkipDeserializing { id: 1, level: 2 }]
        => REFUSED;
    "skip_deserializing, all in one": SkipDeserializingStrict = [SkipDeserializingStrict { id: 1, name: text() }]
        => REFUSED;
    "skip_serializing without a default": SkipSerializing = [SkipSerializing { name: text(), hash: text() }] => REFUSED;
    "skip_serializing of an Option": SkipSerializingOption = [
        SkipSerializingOption { name: text(), hash: Some(text()) },
    ] => REFUSED;
    "skip_serializing of an Option, None": SkipSerializingOption = [SkipSerializingOption { name: text(), hash: None }]
        => NOT_BINCODE;
    "skip_serializing with default": SkipSerializingDefault = [SkipSerializingDefault { name: text(), hash: text() }]
        => REFUSED;
    "skip_serializing with default, at it": SkipSerializingDefault = [
        SkipSerializingDefault { name: text(), hash: String::new() },
    ] => NOT_BINCODE;
    "skip_serializing with another default": SkipSerializingDefaultTen = [
        SkipSerializingDefaultTen { name: text(), level: 0 },
    ] => REFUSED;
    "skip_serializing of the first field": SkipSerializingFirst = [SkipSerializingFirst { hash: 1, name: 2 }]
        => REFUSED;
    "skip_serializing in a tuple struct": SkipSerializingInTuple = [SkipSerializingInTuple(1, 2)] => REFUSED;
    "skip_serializing, neither PartialEq nor Debug": Silent = [Silent { name: text(), hash: Some(text()) }] => REFUSED;
    "skip_serializing, inside a list": InVec = [
        InVec { items: vec![SkipSerializingOption { name: text(), hash: Some(text()) }] },
    ] => REFUSED;
    "skip_serializing_if, None": SkipIfNone = [SkipIfNone { id: 1, name: None, last: 2 }] => NOT_BINCODE;
    "skip_serializing_if, Some": SkipIfNone = [SkipIfNone { id: 1, name: Some(text()), last: 2 }];
    "skip_serializing_if with default, None": SkipIfNoneDefault = [SkipIfNoneDefault { id: 1, name: None }]
        => NOT_BINCODE;
    "skip_serializing_if with default, Some": SkipIfNoneDefault = [SkipIfNoneDefault { id: 1, name: Some(text()) }];
    "skip_serializing_if of two, one Some": SkipIfTwo = [SkipIfTwo { a: None, b: Some(1) }] => NOT_BINCODE;
    "skip_serializing_if of a nested Option": SkipIfNoneNested = [SkipIfNoneNested { name: Some(None) }]
        => Expected::shared([false, false, true]);
    "skip_serializing_if of an empty list": SkipIfEmpty = [SkipIfEmpty { id: 1, items: vec![] }] => REFUSED;
    "skip_serializing_if of a full list": SkipIfEmpty = [SkipIfEmpty { id: 1, items: vec![1] }];
    "skip_serializing_if of an empty list with default": SkipIfEmptyDefault = [
        SkipIfEmptyDefault { id: 1, items: vec![] },
    ] => NOT_BINCODE;
    "skip_serializing_if of an empty map with default": SkipIfEmptyMap = [
        SkipIfEmptyMap { items: HashMap::new(), id: 1 },
    ] => NOT_BINCODE;
    "skip_serializing_if of zero with default": SkipIfZero = [SkipIfZero { id: 1, level: 0 }] => NOT_BINCODE;
    "skip_serializing_if of zero, another default": SkipIfZeroTen = [SkipIfZeroTen { id: 1, level: 0 }] => REFUSED;
    "skip_serializing_if of zero, another default, not zero": SkipIfZeroTen = [SkipIfZeroTen { id: 1, level: 1 }];
    "skip_serializing_if of its own default": SkipIfTen = [SkipIfTen { id: 1, level: 10 }] => NOT_BINCODE;
    "skip_serializing_if of an empty text with default": SkipIfEmptyText = [
        SkipIfEmptyText { name: String::new(), id: 1 },
    ] => NOT_BINCODE;
    "skip_serializing_if in a tuple struct": SkipIfInTuple = [SkipIfInTuple(1, None)] => NOT_BINCODE;
    "default of a struct, skipped": DefaultStruct = [DefaultStruct { id: 1, level: 0 }] => REFUSED;
    "default of a struct, kept": DefaultStruct = [DefaultStruct { id: 1, level: 2 }];
    "default of fields": DefaultField = [DefaultField { id: 0, level: 0, other: 0 }];
    "deny_unknown_fields": Strict = [Strict { id: 1, level: None }, Strict { id: 1, level: Some(2) }];
    "a variant before the skipped ones": Variants = [Variants::Kept];
    "a variant after the skipped ones": Variants = [Variants::Last(1)] => NOT_BINCODE;
    "a skipped variant": Variants = [Variants::Skipped] => REFUSED;
    "a variant with skip_serializing": Variants = [Variants::Unwritten(1)] => REFUSED;
    "a variant with skip_deserializing": Variants = [Variants::Unread(1)] => REFUSED;
    "a skipped field of a variant": Variants = [Variants::Fields { secret: 1, name: Some(1) }] => UNSEEN;
    "a field of a variant with skip_serializing_if": Variants = [Variants::Fields { secret: 0, name: None }]
        => NOT_BINCODE;
}
