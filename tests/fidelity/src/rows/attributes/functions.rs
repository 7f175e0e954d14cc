//! Values that are written or read by functions and through other types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    row::{Expected, REFUSED},
    table,
};

/// The compact form is another one.
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

mod text_of_number {
    use super::*;

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What comes in empty is nothing.
fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().to_owned())
}

fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.to_lowercase())
}

fn masked<S: Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

fn two_digits<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 100.0).round() / 100.0)
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(de::Error::custom),
    }
}

fn double_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u8>>, D::Error> {
    Option::<u8>::deserialize(deserializer).map(Some)
}

fn none_is_zero<S: Serializer>(number: &Option<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(number.unwrap_or(0))
}

fn zero_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    u8::deserialize(deserializer).map(|number| (number != 0).then_some(number))
}

macro_rules! structs {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        struct $name { $($body)* }
    )*};
}

structs! {
    With { #[serde(with = "text_of_number")] number: u64 }
    SerializeWith { #[serde(serialize_with = "text_of_number::serialize")] number: u64 }
    DeserializeWith { #[serde(deserialize_with = "text_of_number::deserialize")] number: u64 }
    Lenient { #[serde(serialize_with = "text_of_number::serialize", deserialize_with = "number_or_text")] number: u64 }
    LenientReader { #[serde(deserialize_with = "number_or_text")] number: u64 }
    EmptyIsNone { #[serde(deserialize_with = "empty_is_none")] name: Option<String> }
    EmptyIsNoneDefault { #[serde(default, deserialize_with = "empty_is_none")] name: Option<String> }
    Trimmed { #[serde(deserialize_with = "trimmed")] name: String }
    LowerCase { #[serde(deserialize_with = "lower_case")] name: String }
    Masked { #[serde(serialize_with = "masked")] secret: String }
    Rounded { #[serde(serialize_with = "two_digits")] price: f64 }
    DoubleOption { #[serde(default, deserialize_with = "double_option", skip_serializing_if = "Option::is_none")] level: Option<Option<u8>> }
    NoneIsZero { #[serde(serialize_with = "none_is_zero", deserialize_with = "zero_is_none")] level: Option<u8> }
    #[serde(transparent)]
    Transparent { id: u64 }
    #[serde(transparent)]
    TransparentOption { id: Option<u64> }
    #[serde(from = "u64", into = "u64")]
    FromInto { number: u32 }
    #[serde(into = "String")]
    IntoOnly { number: u64 }
    #[serde(from = "String")]
    FromOnly { number: u64 }
    #[serde(try_from = "u8", into = "u8")]
    Even { even: u8 }
    #[serde(try_from = "u8")]
    TryFromOnly { even: u8 }
    #[serde(from = "(u8, u8)", into = "(u8, u8)")]
    Reordered { low: u8, high: u8 }
    Remote { #[serde(with = "PointDef")] point: Point }
}

impl From<u64> for FromInto {
    fn from(number: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "what this is about")]
        Self { number: number as u32 }
    }
}

impl From<FromInto> for u64 {
    fn from(from: FromInto) -> Self {
        from.number.into()
    }
}

impl From<IntoOnly> for String {
    fn from(from: IntoOnly) -> Self {
        from.number.to_string()
    }
}

impl From<String> for FromOnly {
    fn from(text: String) -> Self {
        Self { number: text.parse().unwrap_or_default() }
    }
}

impl TryFrom<u8> for Even {
    type Error = &'static str;

    fn try_from(even: u8) -> Result<Self, Self::Error> {
        if even.is_multiple_of(2) { Ok(Self { even }) } else { Err("it is odd") }
    }
}

impl From<Even> for u8 {
    fn from(from: Even) -> Self {
        from.even
    }
}

impl TryFrom<u8> for TryFromOnly {
    type Error = &'static str;

    fn try_from(even: u8) -> Result<Self, Self::Error> {
        Ok(Self { even })
    }
}

impl From<(u8, u8)> for Reordered {
    fn from((a, b): (u8, u8)) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }
}

impl From<Reordered> for (u8, u8) {
    fn from(from: Reordered) -> Self {
        (from.low, from.high)
    }
}

/// Of another crate, so to speak.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    x: i32,
    y: i32,
    label: Option<&'static str>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Point")]
struct PointDef {
    x: i32,
    y: i32,
    #[serde(skip)]
    label: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Default + Deserialize<'de>"))]
struct Bound<T> {
    of: Option<T>,
}

/// By its text, for people and machines.
#[derive(Debug, Clone, PartialEq)]
struct Version(u8, u8);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').ok_or("there is no dot")?;
        let number = |text: &str| text.parse().map_err(|_| "not a number");
        Ok(Self(number(major)?, number(minor)?))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Panics when it is read, if it is large.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Explosive(u8);

impl<'de> Deserialize<'de> for Explosive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        assert!(number < 100, "too large");
        Ok(Self(number))
    }
}

/// Takes whatever comes, and looks at its type.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Anything(String);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Anything;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Anything, E> {
                Ok(Anything(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Anything, E> {
                Ok(Anything(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn text() -> String {
    " Text ".to_owned()
}

table! {
    pub(super) fn rows;
    "with": With = [With { number: u64::MAX }];
    "serialize_with alone": SerializeWith = [SerializeWith { number: 7 }] => REFUSED;
    "deserialize_with alone": DeserializeWith = [DeserializeWith { number: 7 }] => REFUSED;
    "serialize_with, and a lenient reader": Lenient = [Lenient { number: 7 }] => NOT_BINCODE;
    "a lenient reader": LenientReader = [LenientReader { number: 7 }] => NOT_BINCODE;
    "deserialize_with that maps \"\" to None": EmptyIsNone = [EmptyIsNone { name: Some(String::new()) }] => REFUSED;
    "deserialize_with that maps \"\" to None, another text": EmptyIsNone = [
        EmptyIsNone { name: Some(text()) }, EmptyIsNone { name: None },
    ];
    "deserialize_with with default, \"\"": EmptyIsNoneDefault = [EmptyIsNoneDefault { name: Some(String::new()) }]
        => REFUSED;
    "deserialize_with that trims": Trimmed = [Trimmed { name: text() }] => REFUSED;
    "deserialize_with that trims, nothing to trim": Trimmed = [Trimmed { name: "text".to_owned() }];
    "deserialize_with that lowers": LowerCase = [LowerCase { name: text() }] => REFUSED;
    "serialize_with that masks": Masked = [Masked { secret: text() }] => REFUSED.unseen("a text becomes another one");
    "serialize_with that rounds": Rounded = [Rounded { price: 1.005 }] => REFUSED.unseen("a number becomes another one");
    "serialize_with that rounds, a round one": Rounded = [Rounded { price: 1.5 }];
    "a double Option": DoubleOption = [
        DoubleOption { level: Some(None) }, DoubleOption { level: Some(Some(1)) },
    ] => NOT_BINCODE;
    "a double Option, None": DoubleOption = [DoubleOption { level: None }] => NOT_BINCODE;
    "None as zero": NoneIsZero = [NoneIsZero { level: None }, NoneIsZero { level: Some(1) }];
    "None as zero, Some(0)": NoneIsZero = [NoneIsZero { level: Some(0) }] => REFUSED.unseen("one form for two values");
    "transparent": Transparent = [Transparent { id: 1 }];
    "transparent of an Option": TransparentOption = [TransparentOption { id: None }, TransparentOption { id: Some(1) }];
    "from and into": FromInto = [FromInto { number: u32::MAX }];
    "into alone": IntoOnly = [IntoOnly { number: 1 }] => REFUSED;
    "from alone": FromOnly = [FromOnly { number: 1 }] => REFUSED;
    "try_from and into": Even = [Even { even: 2 }];
    "try_from and into, refused by its own": Even = [Even { even: 3 }] => REFUSED;
    "try_from alone": TryFromOnly = [TryFromOnly { even: 2 }] => Expected::shared([false, false, true]);
    "from that puts in order": Reordered = [Reordered { low: 2, high: 1 }]
        => REFUSED.unseen("the bytes are those of another value");
    "from that puts in order, in order": Reordered = [Reordered { low: 1, high: 2 }];
    "remote": Remote = [Remote { point: Point { x: 1, y: 2, label: None } }];
    "remote with a skipped field": Remote = [Remote { point: Point { x: 1, y: 2, label: Some("here") } }]
        => REFUSED.unseen("`skip`: no serialized form has the field");
    "bound": Bound<u8> = [Bound { of: Some(1) }];
    "Display and FromStr": Version = [Version(1, 2)];
    "a Deserialize that panics": Explosive = [Explosive(100)] => REFUSED;
    "a Deserialize that panics, but not now": Explosive = [Explosive(1)];
    "a Deserialize that asks for anything": Anything = [Anything(text())] => NOT_BINCODE;
}
