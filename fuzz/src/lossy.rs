//! Types that lose something on their way, for some of their values.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
};

use arbitrary::Arbitrary;
use serde::{Deserialize, Deserializer, Serialize};

/// One of them.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub enum Lossy {
    /// Fields that one side skips.
    Skipped(Skipped),
    /// Names of one side.
    Renamed(Renamed),
    /// Defaults that differ from what is skipped.
    Defaults(Vec<Defaults>),
    /// What changes on its way.
    Changed(Changed),
    /// What `null` cannot tell.
    Options(Vec<Option<Option<Option<bool>>>>, Option<()>),
    /// Variants that read each other.
    Untagged(Vec<Untagged>),
    /// Floats in JSON.
    Floats(f64, Vec<Option<f32>>),
    /// Nothing is lost, whatever the order.
    Sets(Unordered, BTreeMap<i16, Vec<Aliased>>),
    /// What is flattened.
    Flat(Vec<Flat>),
}

/// A set that shows itself in order: equal ones have one `Debug`.
#[derive(Arbitrary, Serialize, Deserialize)]
pub struct Unordered(HashSet<u8>);

impl fmt::Debug for Unordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().collect::<BTreeSet<_>>()).finish()
    }
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Skipped {
    #[serde(skip_deserializing)]
    id: u8,
    #[serde(skip_serializing)]
    secret: Option<u8>,
    #[serde(skip_serializing, default)]
    more: Vec<u8>,
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Renamed {
    #[serde(rename(serialize = "b"))]
    a: Option<u8>,
    #[serde(rename(deserialize = "d"), default)]
    c: String,
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Defaults {
    #[serde(skip_serializing_if = "is_zero", default = "ten")]
    limit: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    maybe: Option<u8>,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn ten() -> u8 {
    10
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Changed {
    #[serde(deserialize_with = "no_empty")]
    text: Option<String>,
    #[serde(deserialize_with = "sorted")]
    list: Vec<u8>,
}

fn no_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

fn sorted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let mut list = Vec::deserialize(deserializer)?;
    list.sort_unstable();
    Ok(list)
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    /// Reads small numbers.
    Small(u8),
    /// Writes them too.
    Large(u32),
    /// Reads any text.
    Text(String),
    /// Writes a text.
    Letter(char),
    /// Reads any map.
    Map(BTreeMap<String, u8>),
    /// Writes one.
    Point {
        /// A coordinate.
        x: u8,
    },
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Aliased {
    #[serde(alias = "m", alias = "z")]
    name: Option<String>,
    last: bool,
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Flat {
    id: u8,
    #[serde(flatten)]
    inner: Option<Inner>,
    #[serde(flatten)]
    rest: BTreeMap<String, bool>,
}

/// See [`Lossy`].
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Inner {
    a: u8,
    b: Option<u8>,
}
