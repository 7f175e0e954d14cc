//! Names that differ between the two sides.

use serde::{Deserialize, Serialize};

use crate::{row::Expected, table};

/// A codec that writes no names does not mind.
const ONLY_BINCODE: Expected = Expected::shared([false, false, true]);

macro_rules! structs {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        struct $name { $($body)* }
    )*};
}

structs! {
    Rename { #[serde(rename = "type")] kind: String }
    RenameSerialize { id: u8, #[serde(rename(serialize = "other"))] name: String }
    RenameSerializeOption { id: u8, #[serde(rename(serialize = "other"))] name: Option<u8> }
    RenameSerializeDefault { id: u8, #[serde(default, rename(serialize = "other"))] name: u8 }
    RenameDeserialize { id: u8, #[serde(rename(deserialize = "other"))] name: String }
    RenameDeserializeOption { id: u8, #[serde(rename(deserialize = "other"))] name: Option<u8> }
    RenameBoth { #[serde(rename(serialize = "a", deserialize = "b"))] name: Option<u8> }
    RenameSwap {
        #[serde(rename(serialize = "second"))]
        first: u8,
        #[serde(rename(serialize = "first"))]
        second: u8,
    }
    Alias { #[serde(alias = "nom", alias = "name")] title: String }
    AliasMends { #[serde(rename(serialize = "other"), alias = "other")] name: Option<u8>, id: u8 }
    #[serde(rename_all = "camelCase")]
    RenameAll { first_name: String, last_name: Option<String> }
    #[serde(rename_all(serialize = "camelCase"))]
    RenameAllSerialize { first_name: String, last_name: Option<String> }
    #[serde(rename_all(serialize = "camelCase"))]
    RenameAllSerializeOptions { first_name: Option<u8>, last_name: Option<u8> }
    #[serde(rename_all(deserialize = "camelCase"))]
    RenameAllDeserialize { first_name: Option<u8>, last_name: Option<u8> }
    #[serde(rename_all(deserialize = "camelCase"), deny_unknown_fields)]
    RenameAllStrict { first_name: Option<u8>, id: u8 }
    #[serde(rename_all(serialize = "snake_case", deserialize = "snake_case"))]
    RenameAllSame { first_name: Option<u8> }
    #[serde(rename = "Elsewhere")]
    RenameContainer { id: u8 }
    #[serde(rename(serialize = "A", deserialize = "B"))]
    RenameContainerOneSided { id: u8 }
    OuterOneSided { inner: Vec<RenameSerializeOption> }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Variants {
    #[serde(rename = "one")]
    One,
    #[serde(rename(serialize = "deux"))]
    Two,
    #[serde(rename(deserialize = "drei"))]
    Three(u8),
    #[serde(alias = "vier")]
    Four,
    #[serde(rename_all = "SCREAMING-KEBAB-CASE")]
    Five { some_name: Option<u8> },
    #[serde(rename_all(serialize = "UPPERCASE"))]
    Six { some_name: Option<u8> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields(serialize = "UPPERCASE"))]
enum AllFields {
    One { name: Option<u8> },
}

/// Each reads what the other one writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Swapped {
    #[serde(rename(serialize = "Green"))]
    Red,
    #[serde(rename(serialize = "Red"))]
    Green,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "lowercase"))]
enum AllSerialize {
    One,
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    "rename": Rename = [Rename { kind: text() }];
    "rename(serialize)": RenameSerialize = [RenameSerialize { id: 1, name: text() }] => ONLY_BINCODE;
    "rename(serialize) of an Option": RenameSerializeOption = [RenameSerializeOption { id: 1, name: Some(2) }]
        => ONLY_BINCODE;
    "rename(serialize) of an Option, None": RenameSerializeOption = [RenameSerializeOption { id: 1, name: None }];
    "rename(serialize) with default": RenameSerializeDefault = [RenameSerializeDefault { id: 1, name: 2 }]
        => ONLY_BINCODE;
    "rename(deserialize)": RenameDeserialize = [RenameDeserialize { id: 1, name: text() }] => ONLY_BINCODE;
    "rename(deserialize) of an Option": RenameDeserializeOption = [RenameDeserializeOption { id: 1, name: Some(2) }]
        => ONLY_BINCODE;
    "rename, two names": RenameBoth = [RenameBoth { name: Some(1) }] => ONLY_BINCODE;
    "rename that swaps two fields": RenameSwap = [RenameSwap { first: 1, second: 2 }] => ONLY_BINCODE;
    "alias": Alias = [Alias { title: text() }];
    "alias that mends rename(serialize)": AliasMends = [AliasMends { name: Some(1), id: 1 }];
    "rename_all": RenameAll = [
        RenameAll { first_name: text(), last_name: None },
        RenameAll { first_name: text(), last_name: Some(text()) },
    ];
    "rename_all(serialize)": RenameAllSerialize = [RenameAllSerialize { first_name: text(), last_name: None }]
        => ONLY_BINCODE;
    "rename_all(serialize) of Options": RenameAllSerializeOptions = [
        RenameAllSerializeOptions { first_name: Some(1), last_name: None },
    ] => ONLY_BINCODE;
    "rename_all(deserialize) of Options": RenameAllDeserialize = [
        RenameAllDeserialize { first_name: None, last_name: Some(1) },
    ] => ONLY_BINCODE;
    "rename_all(deserialize) of Options, strict": RenameAllStrict = [RenameAllStrict { first_name: Some(1), id: 1 }]
        => ONLY_BINCODE;
    "rename_all, both sides said": RenameAllSame = [RenameAllSame { first_name: Some(1) }];
    "rename of a container": RenameContainer = [RenameContainer { id: 1 }];
    "rename of a container, one-sided": RenameContainerOneSided = [RenameContainerOneSided { id: 1 }];
    "rename(serialize) inside a list": OuterOneSided = [
        OuterOneSided { inner: vec![RenameSerializeOption { id: 1, name: Some(2) }] },
    ] => ONLY_BINCODE;
    "rename of a variant": Variants = [Variants::One, Variants::Four];
    "rename(serialize) of a variant": Variants = [Variants::Two] => ONLY_BINCODE;
    "rename(deserialize) of a variant": Variants = [Variants::Three(1)] => ONLY_BINCODE;
    "rename_all of a variant's fields": Variants = [Variants::Five { some_name: Some(1) }];
    "rename_all(serialize) of a variant's fields": Variants = [Variants::Six { some_name: Some(1) }] => ONLY_BINCODE;
    "rename_all_fields(serialize)": AllFields = [AllFields::One { name: Some(1) }] => ONLY_BINCODE;
    "rename that swaps two variants": Swapped = [Swapped::Red, Swapped::Green] => ONLY_BINCODE;
    "rename_all(serialize) of variants": AllSerialize = [AllSerialize::One] => ONLY_BINCODE;
    "rename(serialize) in an Option": Option<RenameSerialize> = [Some(RenameSerialize { id: 1, name: text() })]
        => ONLY_BINCODE;
}
