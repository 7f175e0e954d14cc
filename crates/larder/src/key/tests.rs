use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn escaped(text: &str) -> String {
    let mut key = Key::default();
    key.escaped(text);
    key.into_string()
}

fn md5<T: Serialize + ?Sized>(value: &T) -> String {
    digest::md5(value).unwrap().to_string()
}

fn hash<T: Serialize + ?Sized>(value: &T) -> String {
    digest::hash(value).unwrap().to_string()
}

#[test]
fn separators_and_control_characters_are_escaped() {
    assert_eq!(escaped("plain-text_1.é"), "plain-text_1.é");
    assert_eq!(escaped("a:b*c%d"), "a%3Ab%2Ac%25d");
    assert_eq!(escaped("\n\0\u{7f}\u{85}"), "%0A%00%7F%C2%85");
    assert_eq!(escaped("<id>{id}"), "<id>{id}");
}

#[test]
fn display_is_escaped_and_integers_are_not_changed() {
    let mut key = Key::default();
    key.integer(-7_i64);
    key.literal(":");
    key.display(&"1:2");
    assert_eq!(key.as_str(), "-7:1%3A2");
}

/// Wherever it stands, and however long what is before it is: on the stack, beyond, and where the one begins.
#[test]
fn an_integer_has_the_text_of_display() {
    fn written(before: &str, write: impl Fn(&mut Key)) -> String {
        let mut key = Key::default();
        key.literal(before);
        write(&mut key);
        key.literal(":");
        assert_eq!(key.as_bytes(), key.as_str().as_bytes());
        key.into_string()
    }
    for length in 0..2 * ON_STACK {
        let before = &*"k".repeat(length);
        for number in [0, 7, 10, 99, 8_765, 99_999_999, 100_000_000, u64::from(u32::MAX) + 1, u64::MAX] {
            let expected = format!("{before}{number}:");
            assert_eq!(written(before, |key| key.integer(number)), expected);
            assert_eq!(written(before, |key| key.integer(u128::from(number))), expected);
        }
        for number in [i64::MIN, -7, 7, i64::MAX] {
            assert_eq!(written(before, |key| key.integer(number)), format!("{before}{number}:"));
        }
        assert_eq!(written(before, |key| key.integer(-128_i8)), format!("{before}-128:"));
    }
}

/// Bytes that are no Unicode are told apart, and from every text.
#[cfg(unix)]
#[test]
fn paths_are_written_without_loss() {
    use std::os::unix::ffi::OsStrExt as _;

    let written = |bytes: &[u8]| {
        let mut key = Key::default();
        key.os_text(OsStr::from_bytes(bytes));
        key.into_string()
    };
    assert_eq!(written("/tmp/é:x".as_bytes()), "/tmp/é%3Ax");
    assert_eq!(written(b"\xff"), "%FF");
    assert_eq!(written(b"\xfe\xffa"), "%FE%FFa");
    assert_eq!(written(b"%FF"), "%25FF");
    assert_eq!(written("\u{fffd}".as_bytes()), "\u{fffd}");
}

#[test]
fn a_long_key_keeps_all_its_text() {
    let mut key = Key::default();
    for _ in 0..30 {
        key.literal("0123456789");
    }
    assert_eq!(key.as_str(), "0123456789".repeat(30));
    assert_eq!(key.clone().into_string(), key.as_str());
}

#[test]
fn keys_are_checked() {
    assert!(check("").unwrap_err().is_invalid_key());
    assert!(check(&"k".repeat(LONGEST)).is_ok());
    assert!(check(&"k".repeat(LONGEST + 1)).unwrap_err().is_invalid_key());
}

#[derive(Serialize)]
struct Filter<'a> {
    name: &'a str,
    limit: u128,
    ratio: f32,
    tags: Vec<&'a str>,
    range: Option<(i32, i32)>,
}

/// A query string, as `serde_urlencoded` and the like read it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Query {
    page: Option<u32>,
    max_price: Option<f64>,
    sort: Sort,
    #[serde(flatten)]
    others: HashMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Newest,
}

fn query(max_price: Option<f64>) -> Query {
    let others = [("colour", "red"), ("size", "xl"), ("brand", "a&b=c")];
    let others = others.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Query { page: Some(2), max_price, sort: Sort::Newest, others }
}

// The digests are a part of the keys that other processes and releases use.
#[test]
fn golden_digests() {
    let filter =
        Filter { name: "a\"b\\", limit: u128::MAX, ratio: 0.1, tags: vec!["x", "}"], range: Some((-1, 2)) };
    let golden = [
        [md5(&filter), hash(&filter)],
        [md5(&query(Some(9.99))), hash(&query(Some(9.99)))],
        [md5(&query(None)), hash(&query(None))],
        [md5(&HashSet::from(["b", "a"])), hash(&HashSet::from(["b", "a"]))],
        [md5("text"), hash("text")],
        [md5(&()), hash(&())],
    ];
    let expected = [
        ["77f706bd116ec3be0af17b706b203a58", "yhbkcnfwwowfaxag3gq25u6uy7swvlu3"],
        ["f8521ce80ad00b851effb5fd1b798c67", "yonr2jwguvbohm4bsyfae7qh2szmwuht"],
        ["2ea66d9456985562525b0eafe6402380", "in3lylhzypyal544lz6qsnhcrhzauc7n"],
        ["e6015257a7860da32f5257f6c71e52e0", "5mgr7g4435vuqhmcmbfkna72czi7y4pw"],
        ["0737a4c20c33a113a9dbca191cd49c47", "xjc32d6qsyhnne5rplqccfmq7su4rg7w"],
        ["15f41a2e96bae341dde485bb0e78f485", "qoer277ilqz6kleljzmbjsjpw2r3srts"],
    ];
    assert_eq!(golden, expected);
}

/// By other programs: `printf '\\x10\\x04text' | md5sum`, and `| sha256sum | xxd -r -p | head -c 20 | base32`.
#[test]
fn digests_are_those_of_the_encoding() {
    assert_eq!(encoding::encode("text").unwrap().as_slice(), b"\x10\x04text");
    assert_eq!(md5("text"), "0737a4c20c33a113a9dbca191cd49c47");
    assert_eq!(hash("text"), "xjc32d6qsyhnne5rplqccfmq7su4rg7w");
}

#[test]
fn a_number_that_is_none_is_not_the_absence_of_a_number() {
    let digests = [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)].map(query);
    for digest in [md5, hash] {
        let distinct: HashSet<String> = digests.iter().map(digest).collect();
        assert_eq!(distinct.len(), digests.len());
    }
}

#[test]
fn a_value_that_cannot_be_serialized_makes_the_key_unusable() {
    struct Refuses;

    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }

    for digest in [Key::md5::<[Refuses]>, Key::hash::<[Refuses]>] {
        let mut key = Key::default();
        digest(&mut key, &[Refuses]);
        assert!(key.failed());
    }
    assert!(!unusable::first::<[Refuses]>(), "it was reported");
}

proptest! {
    #[test]
    fn escaping_is_injective(left in ".*", right in ".*") {
        prop_assert_eq!(left == right, escaped(&left) == escaped(&right));
    }

    #[cfg(unix)]
    #[test]
    fn any_path_can_be_read_from_its_text(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut key = Key::default();
        key.os_text(std::os::unix::ffi::OsStrExt::from_bytes(bytes.as_slice()));
        let (text, mut read) = (key.as_str().as_bytes(), Vec::new());
        let mut at = 0;
        while at < text.len() {
            let escaped = text[at] == b'%';
            let digits = escaped.then(|| std::str::from_utf8(&text[at + 1..at + 3]).unwrap());
            read.push(digits.map_or(text[at], |digits| u8::from_str_radix(digits, 16).unwrap()));
            at += if escaped { 3 } else { 1 };
        }
        prop_assert_eq!(read, bytes);
    }

    #[test]
    fn escaped_text_has_no_separator(text in "\\PC*|.*") {
        let escaped = escaped(&text);
        prop_assert!(!escaped.contains([':', '*']) && !escaped.chars().any(char::is_control));
    }
}
