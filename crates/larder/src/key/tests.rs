use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn escaped(text: &str) -> String {
    let mut key = Key::default();
    key.escaped(text);
    key.into_string()
}

fn md5<T: Serialize>(value: &T) -> String {
    digest::md5(value).unwrap().to_string()
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

// The digests are a part of the keys that other processes and releases use.
#[test]
fn golden_digests() {
    let filter =
        Filter { name: "a\"b\\", limit: u128::MAX, ratio: 0.1, tags: vec!["x", "}"], range: Some((-1, 2)) };
    assert_eq!(
        serde_json::to_string(&filter).unwrap(),
        r#"{"name":"a\"b\\","limit":340282366920938463463374607431768211455,"ratio":0.1,"tags":["x","}"],"range":[-1,2]}"#,
    );
    // md5 of the same with its members sorted.
    assert_eq!(md5(&filter), "dce7e2a1366face0d40254b6c5613550");
    assert_eq!(md5(&"text"), "20cd815523e5806aec29a57282b0d49f");
    assert_eq!(md5(&()), "37a6259cc0c1dae299a7866489dff0bd");
}

/// What a raw value brings along may have spaces.
#[test]
fn spaces_outside_of_text_do_not_matter() {
    for (spaced, compact) in [
        ("{ }", "{}"),
        (" [ 1 , \"a b\" , [ ] ] ", "[1,\"a b\",[]]"),
        ("{ \"b\" : { \"d\" : 1 , \"c\" : null } ,\n\"a\" :2 }", "{\"a\":2,\"b\":{\"c\":null,\"d\":1}}"),
    ] {
        assert_eq!(digest::canonical(spaced), compact);
    }
}

#[test]
fn a_value_without_json_makes_the_key_unusable() {
    let mut key = Key::default();
    key.md5(&HashMap::from([((1, 2), 3)]));
    assert!(key.failed());
}

proptest! {
    #[test]
    fn escaping_is_injective(left in ".*", right in ".*") {
        prop_assert_eq!(left == right, escaped(&left) == escaped(&right));
    }

    #[test]
    fn escaped_text_has_no_separator(text in "\\PC*|.*") {
        let escaped = escaped(&text);
        prop_assert!(!escaped.contains([':', '*']) && !escaped.chars().any(char::is_control));
    }

    #[test]
    fn the_order_of_a_map_does_not_matter(map in proptest::collection::hash_map(".*", proptest::collection::vec(".*", 0..3), 0..8)) {
        let sorted: BTreeMap<_, _> = map.iter().collect();
        prop_assert_eq!(md5(&map), md5(&sorted));
    }
}
