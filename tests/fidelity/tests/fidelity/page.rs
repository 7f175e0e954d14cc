//! The table of the docs says what the rows say, which `outcomes` holds.

use std::{fs, path::PathBuf};

use larder_fidelity::rows;

/// The rows that the page shows, in its order.
const SHOWN: &[&str] = &[
    "f64",
    "f64, not a number",
    "u128",
    "Option<Option<u8>>, Some(None)",
    "HashMap<u64, String>",
    "HashMap<(u8, u8), u8>",
    "SystemTime",
    "SystemTime before 1970",
    "RangeInclusive<u8>, exhausted",
    "PathBuf",
    "PathBuf that is no text",
    "SocketAddrV6",
    "SocketAddrV6 with a scope",
    "serde_json::Value",
    "Option<serde_json::Value>, Some(null)",
    "serde_json::Map",
    "serde_json::Number",
    "serde_json::value::RawValue",
    "chrono::DateTime<Utc>",
    "chrono::DateTime<FixedOffset>",
    "chrono::NaiveDate",
    "chrono::NaiveDateTime",
    "chrono::TimeDelta",
    "chrono ts_seconds, whole",
    "chrono ts_seconds",
    "chrono ts_nanoseconds",
    "time::OffsetDateTime",
    "time::Date",
    "time rfc3339",
    "time timestamp",
    "jiff::Timestamp",
    "jiff::ZonedDateTime",
    "jiff::civil::Date",
    "jiff::Span",
    "jiff::Span, milliseconds above a second",
    "humantime_serde of a Duration",
    "serde_with DisplayFromStr",
    "serde_with NoneAsEmptyString",
    "serde_with NoneAsEmptyString, Some of it",
    "serde_with DurationSeconds",
    "uuid::Uuid",
    "ulid::Ulid",
    "url::Url",
    "http response",
    "http response, a sensitive header",
    "ipnet::IpNet",
    "email_address::EmailAddress",
    "semver::Version",
    "bytes::Bytes",
    "serde_bytes::ByteBuf",
    "hex with",
    "bstr::BString",
    "smol_str::SmolStr",
    "compact_str::CompactString",
    "ecow::EcoString",
    "arcstr::ArcStr",
    "camino::Utf8PathBuf",
    "rust_decimal::Decimal",
    "rust_decimal serde::float",
    "rust_decimal serde::float, many digits",
    "bigdecimal::BigDecimal",
    "num_bigint::BigInt",
    "ordered_float::OrderedFloat<f64>",
    "half::f16",
    "bytesize::ByteSize, many digits",
    "iso_currency::Currency",
    "smallvec::SmallVec",
    "arrayvec::ArrayVec",
    "tinyvec::TinyVec",
    "heapless::Vec",
    "indexmap::IndexMap",
    "hashbrown::HashMap",
    "dashmap::DashMap",
    "slotmap::SlotMap",
    "enum_map::EnumMap",
    "either::Either",
    "either::Either, untagged",
    "nonempty::NonEmpty",
    "ndarray::Array2",
    "petgraph::Graph",
    "bitflags",
    "fixedbitset::FixedBitSet",
    "bitvec::BitVec",
    "roaring::RoaringBitmap",
    "toml::Table",
    "toml::Table with a date",
    "toml::value::Datetime",
    "serde_norway::Value",
    "serde_norway::Value with a tag",
    "rmpv::Value",
    "rmpv::Value, binary",
    "ciborium::Value",
    "ciborium::Value, a tag",
    "async_graphql_value::ConstValue",
    "async_graphql_value::ConstValue, an enum",
    "geo_types::Point",
    "geojson::Feature",
];

const HEAD: &str = "| value | MessagePack | JSON | bincode | postcard |\n| --- | --- | --- | --- | --- |\n";

fn table() -> String {
    let rows = rows::all();
    let mut table = String::new();
    for name in SHOWN {
        let row =
            rows.iter().find(|row| row.name == *name).unwrap_or_else(|| panic!("there is no row {name:?}"));
        let cells = row.expected.in_codecs().map(|shared| if shared { "shared" } else { "local" });
        table += &format!("| {} | {} |\n", label(name), cells.join(" | "));
    }
    table
}

/// The type is code, and what follows its comma is not.
fn label(name: &str) -> String {
    let end = name.match_indices(", ").map(|(at, _)| at).find(|&at| !name[at..].contains('>'));
    let (of, rest) = name.split_at(end.unwrap_or(name.len()));
    format!("`{of}`{rest}")
}

#[test]
fn the_page_says_what_the_rows_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crates/larder/docs/values.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, after) = page.split_once(HEAD).expect("the table has a head");
    let end = after
        .match_indices('\n')
        .find(|(at, _)| !after[at + 1..].starts_with('|'))
        .map_or(0, |(at, _)| at + 1);
    let end = if after.starts_with('|') { end } else { 0 };
    let wanted = table();
    if std::env::var_os("LARDER_WRITE_PAGE").is_some() {
        let page = format!("{before}{HEAD}{wanted}{}", &after[end..]);
        fs::write(&path, page).expect("the page can be written");
    } else {
        let shown: Vec<_> = after[..end].lines().collect();
        let wanted: Vec<_> = wanted.lines().collect();
        assert_eq!(shown, wanted, "write it anew with LARDER_WRITE_PAGE=1");
    }
}

/// As it is for users: a wrapper may have a `PartialEq` or a `Debug` that the type has not.
#[test]
fn what_it_shows_is_seen_by_larder_as_what_it_is() {
    let rows = rows::all();
    let wrapped = rows.iter().filter(|row| row.type_name.contains("erased") && SHOWN.contains(&row.name));
    let wrapped: Vec<_> = wrapped.map(|row| row.name).collect();
    assert!(wrapped.is_empty(), "write `concrete` before {wrapped:?}");
}

#[test]
fn it_shows_enough() {
    assert!(SHOWN.len() >= 60, "{}", SHOWN.len());
}
