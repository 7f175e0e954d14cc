//! The types that the targets read and write.

pub mod lossy;
pub mod releases;

use std::collections::{BTreeMap, HashMap};

use arbitrary::Arbitrary;
use larder::Compression;
use serde::{Deserialize, Serialize};

/// The numbers of all codecs of larder.
pub const CODECS: [u8; 4] = [1, 2, 3, 4];
/// All compressions.
pub const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

/// Some of everything that serde knows.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Rich {
    numbers: (u8, i16, u32, i64, u128, i128),
    floats: (f32, f64),
    text: String,
    letter: char,
    bytes: Vec<u8>,
    path: std::ffi::CString,
    maybe: Option<Option<bool>>,
    nested: Option<Box<Rich>>,
    states: Vec<State>,
    by_name: HashMap<String, Option<i32>>,
    by_number: BTreeMap<u16, [(); 2]>,
    outcome: Result<std::time::Duration, std::net::IpAddr>,
}

/// Every kind of variant.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub enum State {
    /// Nothing.
    Empty,
    /// A newtype.
    One(String),
    /// A tuple.
    Two(u8, Option<u8>),
    /// A struct, and more of itself.
    Named {
        /// A number.
        from: i32,
        /// What it contains.
        to: Vec<State>,
    },
}

/// What serde's attributes do.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Attributes {
    #[serde(rename = "n", alias = "name")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    none: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    empty: Vec<u8>,
    #[serde(flatten)]
    flat: Flat,
    tagged: Vec<Tagged>,
    beside: Vec<Beside>,
    untagged: Vec<Untagged>,
}

#[derive(Debug, Arbitrary, Serialize, Deserialize)]
struct Flat {
    id: u64,
    tags: Vec<String>,
}

#[derive(Debug, Arbitrary, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
    B(Flat),
    C,
}

#[derive(Debug, Arbitrary, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
enum Beside {
    A(u8),
    B { y: String },
    C,
}

#[derive(Debug, Arbitrary, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Flat(Flat),
    Many(Vec<Untagged>),
}

/// A type in itself, in all the ways that take the fewest bytes.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub enum Deep {
    /// In an option.
    Option(Option<Box<Deep>>),
    /// In a list.
    List(Vec<Deep>),
    /// In a newtype.
    Newtype(Hollow),
    /// In a map.
    Map(BTreeMap<String, Deep>),
    /// Items that take no bytes at all.
    Units(Vec<()>),
}

/// Nothing but itself.
#[derive(Debug, Arbitrary, Serialize, Deserialize)]
pub struct Hollow(Option<Box<Hollow>>);
