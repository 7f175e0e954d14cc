//! Forms of enums.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    row::{Expected, REFUSED},
    table,
};

/// bincode reads no form but its own.
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

macro_rules! enums {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        enum $name { $($body)* }
    )*};
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Typed {
    r#type: String,
    id: u8,
}

enums! {
    #[serde(tag = "type")]
    Internal { Unit, Struct { a: u8, b: Option<u8> }, Newtype(Point), Wide { big: u128 } }
    #[serde(tag = "type")]
    InternalMap { Map(HashMap<String, u8>), Typed(Typed) }
    #[serde(tag = "type")]
    InternalNested { Inner(Internal), Other { name: Option<Option<u8>> } }
    #[serde(tag = "t", content = "c")]
    Adjacent { Unit, Newtype(u8), Tuple(u8, String), Struct { a: Option<u8> }, Option(Option<u8>) }
    #[serde(tag = "t", content = "c", deny_unknown_fields)]
    AdjacentStrict { Unit, Struct { a: u8 } }
    #[serde(untagged)]
    Untagged { Number(u64), Text(String), Point { x: u8 }, List(Vec<u8>), Nothing }
    #[serde(untagged)]
    Shadowed { Small(u8), Large(u64) }
    #[serde(untagged)]
    Floats { Integer(i64), Float(f64) }
    #[serde(untagged)]
    Structs { Optional { a: Option<u8> }, Required { b: u8 } }
    #[serde(untagged)]
    Units { First, Second }
    #[serde(untagged)]
    Signed { Positive(u64), Negative(i64), Wide(i128) }
    #[serde(untagged)]
    Bytes { Text(String), List(Vec<u8>), Pair(u8, u8) }
    #[serde(untagged)]
    Chars { Char(char), Text(String) }
    #[serde(untagged)]
    Keys { ByNumber(HashMap<u8, u8>), ByText(HashMap<String, u8>) }
    #[serde(untagged)]
    Options { One(Option<u8>), Two(String) }
    PartlyUntagged { Known(u8), #[serde(untagged)] Other(String) }
    Other { Known, #[serde(other)] Unknown }
    #[serde(tag = "type")]
    OtherTagged { Known { a: u8 }, #[serde(other)] Unknown }
    #[serde(rename_all = "lowercase")]
    Lower { One, TwoThree }
    Discriminants { Ten = 10, Twenty = 20 }
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    "tag": Internal = [
        Internal::Unit,
        Internal::Struct { a: 1, b: None },
        Internal::Struct { a: 1, b: Some(2) },
        Internal::Newtype(Point { x: -1, y: None }),
    ] => NOT_BINCODE;
    "tag, a u128 that is small": Internal = [Internal::Wide { big: 1 }] => REFUSED;
    "tag, a u128 that is large": Internal = [Internal::Wide { big: u128::MAX }] => REFUSED;
    "tag of a map": InternalMap = [InternalMap::Map(HashMap::from([(text(), 1)]))] => NOT_BINCODE;
    "tag of a map that has the tag": InternalMap = [InternalMap::Map(HashMap::from([("type".to_owned(), 1)]))]
        => REFUSED;
    "tag of a struct that has the tag": InternalMap = [InternalMap::Typed(Typed { r#type: text(), id: 1 })] => REFUSED;
    "tag in a tag": InternalNested = [InternalNested::Inner(Internal::Struct { a: 1, b: None })] => REFUSED;
    "tag, an Option in an Option": InternalNested = [InternalNested::Other { name: Some(None) }] => REFUSED;
    "tag and content": Adjacent = [
        Adjacent::Unit,
        Adjacent::Newtype(1),
        Adjacent::Tuple(1, text()),
        Adjacent::Struct { a: None },
        Adjacent::Option(Some(1)),
        Adjacent::Option(None),
    ] => NOT_BINCODE;
    "tag and content, strict": AdjacentStrict = [AdjacentStrict::Unit, AdjacentStrict::Struct { a: 1 }] => NOT_BINCODE;
    "untagged": Untagged = [
        Untagged::Number(u64::MAX), Untagged::Text(text()), Untagged::Point { x: 1 }, Untagged::List(vec![1]),
        Untagged::Nothing,
    ] => NOT_BINCODE;
    "untagged, a variant that another one reads": Shadowed = [Shadowed::Large(1)] => REFUSED;
    "untagged, a variant that no other one reads": Shadowed = [Shadowed::Large(256), Shadowed::Small(1)] => NOT_BINCODE;
    "untagged, a whole float beside an integer": Floats = [Floats::Float(1.0)] => NOT_BINCODE;
    "untagged, a float": Floats = [Floats::Float(1.5), Floats::Integer(1)] => NOT_BINCODE;
    "untagged, a struct that another one reads": Structs = [Structs::Required { b: 1 }] => REFUSED;
    "untagged, an Option in a struct": Structs = [Structs::Optional { a: None }] => NOT_BINCODE;
    "untagged, the second of two units": Units = [Units::Second] => REFUSED;
    "untagged, signs": Signed = [Signed::Positive(u64::MAX), Signed::Negative(i64::MIN)] => NOT_BINCODE;
    "untagged, an i128": Signed = [Signed::Wide(i128::MAX)] => REFUSED;
    "untagged, bytes": Bytes = [Bytes::Text(text()), Bytes::List(vec![1, 2, 3])] => NOT_BINCODE;
    "untagged, bytes before a pair": Bytes = [Bytes::Pair(1, 2)] => REFUSED;
    "untagged, a text of one character": Chars = [Chars::Text("a".to_owned())] => REFUSED;
    "untagged, a character": Chars = [Chars::Char('a'), Chars::Text(text())] => NOT_BINCODE;
    "untagged, keys that are numbers": Keys = [Keys::ByNumber(HashMap::from([(1, 2)]))]
        => Expected::shared([true, false, false]);
    "untagged, keys that are texts of numbers": Keys = [Keys::ByText(HashMap::from([("1".to_owned(), 2)]))]
        => NOT_BINCODE;
    "untagged, an Option": Options = [Options::One(Some(1)), Options::One(None), Options::Two(text())] => NOT_BINCODE;
    "untagged variant": PartlyUntagged = [PartlyUntagged::Known(1), PartlyUntagged::Other(text())] => NOT_BINCODE;
    "untagged variant with the name of another one": Vec<PartlyUntagged> = [
        vec![PartlyUntagged::Other("Known".to_owned())],
    ] => NOT_BINCODE;
    "other": Other = [Other::Known, Other::Unknown];
    "other of a tag": OtherTagged = [OtherTagged::Known { a: 1 }, OtherTagged::Unknown] => NOT_BINCODE;
    "rename_all of variants": Lower = [Lower::One, Lower::TwoThree];
    "discriminants": Discriminants = [Discriminants::Ten, Discriminants::Twenty];
    "Vec of a tag": Vec<Internal> = [vec![Internal::Unit, Internal::Newtype(Point { x: 1, y: Some(2) })]]
        => NOT_BINCODE;
    "Option of a tag": Option<Internal> = [Some(Internal::Unit)] => NOT_BINCODE;
    "Option of a tag, None": Option<Internal> = [None];
}
