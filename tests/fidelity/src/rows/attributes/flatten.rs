//! `flatten`: what serde buffers.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    row::{Expected, REFUSED},
    table,
};

/// bincode cannot write a map of unknown length.
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

macro_rules! structs {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        struct $name { $($body)* }
    )*};
}

structs! {
    Inner { a: u8, b: Option<String> }
    Options { a: Option<u8>, b: Option<u8> }
    Bytes { bytes: Vec<u8>, number: u64, float: f32 }
    Wide { big: i128 }
    Extra { c: u8 }
    OfTwoApart { #[serde(flatten)] first: Inner, #[serde(flatten)] second: Extra }
    Keyed { by_number: HashMap<u8, u8> }
    Nested { maybe: Option<Option<u8>>, unit: Option<()> }
    OfStruct { id: u8, #[serde(flatten)] inner: Inner }
    OfTwo { #[serde(flatten)] first: Inner, #[serde(flatten)] second: Wide }
    OfTwoAlike { #[serde(flatten)] first: Options, #[serde(flatten)] second: Options }
    OfOption { id: u8, #[serde(flatten)] inner: Option<Inner> }
    OfOptionOfOptions { id: u8, #[serde(flatten)] inner: Option<Options> }
    OfMap { id: u8, #[serde(flatten)] rest: HashMap<String, u8> }
    OfMapOfOptions { id: u8, #[serde(flatten)] rest: BTreeMap<String, Option<u8>> }
    OfNumbers { id: u8, #[serde(flatten)] rest: BTreeMap<u8, u8> }
    OfValues { id: u8, #[serde(flatten)] rest: serde_json::Map<String, Value> }
    OfValue { id: u8, #[serde(flatten)] rest: Value }
    OfEnum { id: u8, #[serde(flatten)] kind: Kind }
    OfExternal { id: u8, #[serde(flatten)] kind: External }
    OfDeep { id: u8, #[serde(flatten)] inner: OfStruct2 }
    OfStruct2 { x: u8, #[serde(flatten)] inner: Inner }
    OfBytes { #[serde(flatten)] inner: Bytes }
    OfKeyed { #[serde(flatten)] inner: Keyed }
    OfNested { #[serde(flatten)] inner: Nested }
    OfUnit { id: u8, #[serde(flatten)] unit: () }
    #[serde(deny_unknown_fields)]
    Strict { id: u8, #[serde(flatten)] inner: Inner }
    Skipping {
        #[serde(flatten)]
        inner: SkippingInner,
        id: u8,
    }
    SkippingInner { #[serde(default, skip_serializing_if = "Option::is_none")] a: Option<u8>, #[serde(skip_serializing)] b: Option<u8> }
    Renaming { #[serde(flatten)] inner: RenamingInner }
    RenamingInner { #[serde(rename(serialize = "z"))] a: Option<u8>, c: u8 }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Kind {
    Unit,
    Struct { a: u8 },
    Inner(Inner),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum External {
    Number(u8),
    Struct { a: Option<u8> },
}

fn inner() -> Inner {
    Inner { a: 1, b: Some("text".to_owned()) }
}

table! {
    pub(super) fn rows;
    "flatten of a struct": OfStruct = [
        OfStruct { id: 1, inner: inner() }, OfStruct { id: 1, inner: Inner { a: 1, b: None } },
    ] => NOT_BINCODE;
    "flatten of two structs": OfTwoApart = [OfTwoApart { first: inner(), second: Extra { c: 1 } }] => NOT_BINCODE;
    "flatten of an i128 that is small": OfTwo = [OfTwo { first: inner(), second: Wide { big: 1 } }] => REFUSED;
    "flatten of an i128": OfTwo = [OfTwo { first: inner(), second: Wide { big: i128::MAX } }] => REFUSED;
    "flatten of two that share names": OfTwoAlike = [
        OfTwoAlike { first: Options { a: Some(1), b: Some(2) }, second: Options { a: Some(3), b: Some(4) } },
    ] => REFUSED;
    "flatten of an Option, Some": OfOption = [OfOption { id: 1, inner: Some(inner()) }] => NOT_BINCODE;
    "flatten of an Option, None": OfOption = [OfOption { id: 1, inner: None }] => NOT_BINCODE;
    "flatten of an Option of Options, None": OfOptionOfOptions = [OfOptionOfOptions { id: 1, inner: None }] => REFUSED;
    "flatten of an Option of Options, Some": OfOptionOfOptions = [
        OfOptionOfOptions { id: 1, inner: Some(Options { a: Some(1), b: None }) },
    ] => NOT_BINCODE;
    "flatten of a map": OfMap = [
        OfMap { id: 1, rest: HashMap::from([("x".to_owned(), 2)]) }, OfMap { id: 1, rest: HashMap::new() },
    ] => NOT_BINCODE;
    "flatten of a map with the name of a field": OfMap = [
        OfMap { id: 1, rest: HashMap::from([("id".to_owned(), 2)]) },
    ] => REFUSED;
    "flatten of a map of Options": OfMapOfOptions = [
        OfMapOfOptions { id: 1, rest: BTreeMap::from([("x".to_owned(), None), ("y".to_owned(), Some(1))]) },
    ] => NOT_BINCODE;
    "flatten of a map of numbers": OfNumbers = [OfNumbers { id: 1, rest: BTreeMap::from([(1, 2)]) }]
        => Expected::shared([true, false, false]);
    "flatten of a JSON map": OfValues = [
        OfValues { id: 1, rest: serde_json::Map::from_iter([("x".to_owned(), json!([1, null, "a"]))]) },
    ] => NOT_BINCODE;
    "flatten of a JSON value, an object": OfValue = [OfValue { id: 1, rest: json!({"x": {"y": 1.5}}) }] => NOT_BINCODE;
    "flatten of a JSON value, null": OfValue = [OfValue { id: 1, rest: Value::Null }] => REFUSED;
    "flatten of a JSON value, a number": OfValue = [OfValue { id: 1, rest: json!(1) }] => REFUSED;
    "flatten of a tagged enum": OfEnum = [
        OfEnum { id: 1, kind: Kind::Unit }, OfEnum { id: 1, kind: Kind::Struct { a: 1 } },
        OfEnum { id: 1, kind: Kind::Inner(inner()) },
    ] => NOT_BINCODE;
    "flatten of an enum": OfExternal = [
        OfExternal { id: 1, kind: External::Number(1) }, OfExternal { id: 1, kind: External::Struct { a: None } },
    ] => NOT_BINCODE;
    "flatten in a flatten": OfDeep = [OfDeep { id: 1, inner: OfStruct2 { x: 2, inner: inner() } }] => NOT_BINCODE;
    "flatten of bytes and floats": OfBytes = [
        OfBytes { inner: Bytes { bytes: vec![0, 255], number: u64::MAX, float: 0.1 } },
    ] => NOT_BINCODE;
    "flatten of a map inside, by numbers": OfKeyed = [OfKeyed { inner: Keyed { by_number: HashMap::from([(1, 2)]) } }]
        => Expected::shared([true, false, false]);
    "flatten of an Option in an Option": OfNested = [OfNested { inner: Nested { maybe: Some(None), unit: Some(()) } }]
        => REFUSED;
    "flatten of an Option in an Option, told apart": OfNested = [
        OfNested { inner: Nested { maybe: Some(Some(1)), unit: None } },
    ] => NOT_BINCODE;
    "flatten of a unit": OfUnit = [OfUnit { id: 1, unit: () }] => NOT_BINCODE;
    "flatten and deny_unknown_fields": Strict = [Strict { id: 1, inner: inner() }] => NOT_BINCODE;
    "flatten of a struct that skips": Skipping = [Skipping { inner: SkippingInner { a: None, b: None }, id: 1 }]
        => NOT_BINCODE;
    "flatten of a struct with skip_serializing": Skipping = [
        Skipping { inner: SkippingInner { a: Some(1), b: Some(2) }, id: 1 },
    ] => REFUSED;
    "flatten of a struct with rename(serialize)": Renaming = [Renaming { inner: RenamingInner { a: Some(1), c: 2 } }]
        => REFUSED;
}
