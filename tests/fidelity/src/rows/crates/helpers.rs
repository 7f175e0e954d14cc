//! `serde_with` and other helpers of serde.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_with::{
    As, BoolFromInt, Bytes, DefaultOnError, DefaultOnNull, DisplayFromStr, DurationMilliSeconds,
    DurationSeconds, DurationSecondsWithFrac, Map, NoneAsEmptyString, OneOrMany, PickFirst, Same,
    StringWithSeparator,
    formats::{CommaSeparator, Flexible, PreferOne, Strict},
};

use crate::{
    row::{Expected, REFUSED},
    table,
};

const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

macro_rules! with {
    ($($name:ident: $type:ty, $with:literal;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct $name {
            #[serde(with = $with)]
            of: $type,
        }
    )*};
}

with! {
    Text: u64, "As::<DisplayFromStr>";
    TextOption: Option<u64>, "As::<Option<DisplayFromStr>>";
    TextList: Vec<f64>, "As::<Vec<DisplayFromStr>>";
    TextMap: BTreeMap<u8, u8>, "As::<BTreeMap<DisplayFromStr, DisplayFromStr>>";
    EmptyString: Option<String>, "As::<NoneAsEmptyString>";
    EmptyNumber: Option<u64>, "As::<NoneAsEmptyString>";
    Seconds: Duration, "As::<DurationSeconds<u64, Flexible>>";
    SecondsText: Duration, "As::<DurationSeconds<String, Strict>>";
    Milliseconds: Duration, "As::<DurationMilliSeconds<u64, Strict>>";
    Fraction: Duration, "As::<DurationSecondsWithFrac<f64, Flexible>>";
    OnError: u8, "As::<DefaultOnError>";
    OnNull: Vec<u8>, "As::<DefaultOnNull>";
    One: Vec<u8>, "As::<OneOrMany<Same, PreferOne>>";
    Pick: u64, "As::<PickFirst<(Same, DisplayFromStr)>>";
    PickText: u64, "As::<PickFirst<(DisplayFromStr, Same)>>";
    Commas: Vec<String>, "As::<StringWithSeparator<CommaSeparator, String>>";
    Int: bool, "As::<BoolFromInt>";
    Raw: Vec<u8>, "As::<Bytes>";
    Pairs: Vec<(String, u8)>, "As::<Map<Same, Same>>";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stringified {
    #[serde(with = "serde_with::rust::unwrap_or_skip", skip_serializing_if = "Option::is_none", default)]
    unwrapped: Option<u8>,
    #[serde(with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none", default)]
    double: Option<Option<u8>>,
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    concrete "serde_with DisplayFromStr": Text = [Text { of: u64::MAX }];
    "serde_with DisplayFromStr in an Option": TextOption = [TextOption { of: None }, TextOption { of: Some(1) }];
    "serde_with DisplayFromStr in a list": TextList = [TextList { of: vec![0.1, f64::INFINITY] }];
    "serde_with DisplayFromStr in a map": TextMap = [TextMap { of: BTreeMap::from([(1, 2)]) }];
    concrete "serde_with NoneAsEmptyString": EmptyString = [EmptyString { of: None }, EmptyString { of: Some(text()) }]
        => NOT_BINCODE;
    concrete "serde_with NoneAsEmptyString, Some of it": EmptyString = [EmptyString { of: Some(String::new()) }]
        => REFUSED.unseen("one form for two values");
    "serde_with NoneAsEmptyString of a number": EmptyNumber = [EmptyNumber { of: None }, EmptyNumber { of: Some(1) }]
        => NOT_BINCODE;
    "serde_with DurationSeconds, whole": Seconds = [Seconds { of: Duration::from_secs(1) }] => NOT_BINCODE;
    concrete "serde_with DurationSeconds": Seconds = [Seconds { of: Duration::from_millis(1_500) }]
        => REFUSED.unseen("what is below a second is not written");
    "serde_with DurationSeconds as text": SecondsText = [SecondsText { of: Duration::from_secs(1) }];
    "serde_with DurationMilliSeconds": Milliseconds = [Milliseconds { of: Duration::from_millis(1_500) }];
    "serde_with DurationSecondsWithFrac": Fraction = [Fraction { of: Duration::from_millis(1_500) }] => NOT_BINCODE;
    "serde_with DurationSecondsWithFrac, many digits": Fraction = [
        Fraction { of: Duration::new(1_700_000_000, 123_456_789) },
    ] => REFUSED.unseen("a float has 15 digits");
    "serde_with DefaultOnError": OnError = [OnError { of: 7 }] => NOT_BINCODE;
    "serde_with DefaultOnNull": OnNull = [OnNull { of: vec![] }, OnNull { of: vec![1] }];
    "serde_with OneOrMany": One = [One { of: vec![1] }, One { of: vec![1, 2] }, One { of: vec![] }] => NOT_BINCODE;
    "serde_with PickFirst": Pick = [Pick { of: 1 }] => NOT_BINCODE;
    "serde_with PickFirst of a text": PickText = [PickText { of: 1 }] => NOT_BINCODE;
    "serde_with StringWithSeparator": Commas = [Commas { of: vec![] }, Commas { of: vec!["a".to_owned(), "b".to_owned()] }];
    "serde_with StringWithSeparator, a separator inside": Commas = [Commas { of: vec!["a,b".to_owned()] }]
        => REFUSED.unseen("one form for two values");
    "serde_with StringWithSeparator, an empty text": Commas = [Commas { of: vec![String::new()] }]
        => REFUSED.unseen("one form for two values");
    "serde_with BoolFromInt": Int = [Int { of: true }, Int { of: false }];
    "serde_with Bytes": Raw = [Raw { of: vec![0, 255] }];
    "serde_with Map of pairs": Pairs = [Pairs { of: vec![(text(), 1), ("a".to_owned(), 2)] }];
    "serde_with Map of pairs, one key twice": Pairs = [Pairs { of: vec![(text(), 1), (text(), 2)] }];
    "serde_with unwrap_or_skip and double_option": Stringified = [
        Stringified { unwrapped: Some(1), double: Some(Some(2)) },
    ];
    "serde_with unwrap_or_skip and double_option, None": Stringified = [
        Stringified { unwrapped: None, double: Some(None) },
    ] => NOT_BINCODE;
}
