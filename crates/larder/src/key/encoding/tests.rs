use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    encode(value).unwrap().to_vec()
}

/// All are told apart.
fn assert_distinct(encodings: &[Vec<u8>]) {
    for (at, encoding) in encodings.iter().enumerate() {
        assert!(!encodings[..at].contains(encoding), "{at}: {encoding:?}");
    }
}

#[test]
fn what_json_confuses_is_told_apart() {
    assert_distinct(&[
        bytes(&f64::NAN),
        bytes(&-f64::NAN),
        bytes(&f64::INFINITY),
        bytes(&f64::NEG_INFINITY),
        bytes(&0.0_f64),
        bytes(&-0.0_f64),
        bytes(&0.0_f32),
        bytes(&0_i64),
        bytes(&0_u64),
        bytes(&None::<f64>),
        bytes(&Some(None::<f64>)),
        bytes(&Some(Some(0.0))),
        bytes(&Some(0.0)),
        bytes(&()),
        bytes("0"),
        bytes(&'0'),
        bytes(&["0"]),
        bytes(&vec!["0"]),
        bytes(&[0_u8]),
        bytes(&vec![0_u8]),
        bytes(&BTreeMap::from([(0, 0)])),
        bytes(&BTreeMap::from([("0", 0)])),
        bytes(&std::ffi::CString::default()),
        bytes(""),
        bytes::<[u8]>(&[]),
    ]);
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Id(u64);

#[derive(Serialize)]
enum Kind {
    Unit,
    Id(u64),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Untagged {
    Width { size: u8 },
    Height(Height),
    Wide(u64),
    Narrow(u32),
}

#[derive(Serialize)]
struct Height {
    size: u8,
}

#[test]
fn names_and_widths_are_told_apart() {
    assert_distinct(&[
        bytes(&Unit),
        bytes(&Kind::Unit),
        bytes("Unit"),
        bytes(&Id(1)),
        bytes(&Kind::Id(1)),
        bytes(&Untagged::Width { size: 1 }),
        bytes(&Untagged::Height(Height { size: 1 })),
        bytes(&Untagged::Wide(1)),
        bytes(&Untagged::Narrow(1)),
        bytes(&BTreeMap::from([("size", 1_u8)])),
    ]);
}

#[test]
fn lengths_are_told_apart() {
    assert_distinct(&[
        bytes(&["ab", "c"]),
        bytes(&["a", "bc"]),
        bytes(&["abc"]),
        bytes(&("ab", ["c"])),
        bytes(&(["ab"], "c")),
        bytes(&vec![vec![1_u8], vec![]]),
        bytes(&vec![vec![], vec![1_u8]]),
        bytes(&vec![vec![1_u8]]),
    ]);
}

#[test]
fn what_points_to_a_value_is_that_value() {
    assert_eq!(bytes(&vec!["a", "b"]), bytes(&["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(bytes(&Box::new(Some(1))), bytes(&Some(Box::new(1))));
}

/// In the order of one hash table, and in that of another with the same elements.
fn in_two_orders() -> [HashSet<u32>; 2] {
    let one: HashSet<u32> = (0..50).collect();
    let differs = |other: &HashSet<u32>| !one.iter().eq(other.iter());
    let other = std::iter::repeat_with(|| (0..50).collect()).find(differs).unwrap();
    [one, other]
}

#[test]
fn equal_sets_have_one_encoding_wherever_they_are() {
    #[derive(Serialize)]
    struct Transparent {
        #[serde(flatten)]
        fields: HashMap<String, HashSet<u32>>,
        set: Newtype,
        #[serde(serialize_with = "mapped")]
        mapped: HashSet<u32>,
        #[expect(clippy::box_collection, reason = "a set is found wherever it stands")]
        boxed: Option<Box<HashSet<u32>>>,
    }

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Newtype(HashSet<u32>);

    fn mapped<S: Serializer>(set: &HashSet<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(set.iter().filter(|n| **n > 3).map(|n| n + 1))
    }

    let [one, other] = in_two_orders();
    let hashbrown = |set: &HashSet<u32>| set.iter().copied().collect::<hashbrown::HashSet<u32>>();
    assert_eq!(bytes(&one), bytes(&other));
    assert_eq!(bytes(&one), bytes(&hashbrown(&other)));
    assert_eq!(bytes(&[Some((1, &one))]), bytes(&[Some((1, &other))]));
    let deep = |set: &HashSet<u32>| Transparent {
        fields: HashMap::from([("a".to_owned(), set.clone()), ("b".to_owned(), set.clone())]),
        set: Newtype(set.clone()),
        mapped: set.clone(),
        boxed: Some(Box::new(set.clone())),
    };
    assert_eq!(bytes(&deep(&one)), bytes(&deep(&other)));
    assert_ne!(bytes(&one), bytes(&(1..51).collect::<HashSet<u32>>()));
    assert_ne!(bytes(&one), bytes(&one.iter().collect::<BTreeSet<_>>()), "which has an order");
}

/// What some crates do whose sets are no part of std.
#[test]
fn a_set_that_is_written_element_by_element_is_known_by_its_type() {
    assert!(unordered::iterates("dashmap::set::DashSet<u8>"));
    assert!(unordered::iterates("&alloc::sync::Arc<im::hash::set::HashSet<u8>>"));
    for ordered in [
        "alloc::vec::Vec<std::collections::hash::set::HashSet<u8>>",
        "alloc::collections::btree::set::BTreeSet<u8>",
        "core::iter::adapters::chain::Chain<std::collections::hash::set::Iter<u8>, core::slice::iter::Iter<u8>>",
        "indexmap::set::IndexSet<u8>",
        "my::collections::hash::set::HashSet<u8>",
    ] {
        assert!(!unordered::iterates(ordered), "{ordered}");
    }
}

#[test]
fn lists_keep_their_order() {
    assert_ne!(bytes(&vec![1, 2]), bytes(&vec![2, 1]));
    let [one, _] = in_two_orders();
    let mut list = vec![one.clone(), HashSet::new()];
    let first = bytes(&list);
    list.reverse();
    assert_ne!(first, bytes(&list));
}

#[test]
fn a_number_of_any_precision_is_the_number_that_it_is_without() {
    struct Number(&'static str);

    impl Serialize for Number {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut number = serializer.serialize_struct(number::NAME, 1)?;
            ser::SerializeStruct::serialize_field(&mut number, number::NAME, self.0)?;
            ser::SerializeStruct::end(number)
        }
    }

    assert_eq!(bytes(&Number("7")), bytes(&7_u64));
    assert_eq!(bytes(&Number("-7")), bytes(&-7_i64));
    assert_eq!(bytes(&[Number("1.5"), Number("2")]), bytes(&(1.5, 2_u64)));
    assert_distinct(&[
        bytes(&Number("1.50")),
        bytes(&Number("1.5")),
        bytes(&Number("123456789012345678901234567890")),
        bytes(&Number("123456789012345678901234567891")),
        bytes(&Number("-0")),
        bytes(&Number("0")),
    ]);
}

proptest! {
    /// Keys must not change with the writer of numbers, which is `serde_json`'s own.
    #[test]
    fn a_number_is_plain_if_serde_json_writes_it_so(
        bits in any::<u64>(),
        digits in "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e-?[0-9]{1,3})?",
    ) {
        let float = f64::from_bits(bits);
        let written = [serde_json::to_string(&float), serde_json::to_string(&bits), serde_json::to_string(&(bits as i64))];
        let texts = written.into_iter().flatten().chain([float.to_string(), format!("{float:?}"), digits]);
        for text in texts {
            let read = serde_json::from_str::<serde_json::Value>(&text).ok().filter(serde_json::Value::is_number);
            let rewritten = read.as_ref().map(serde_json::Value::to_string);
            let is_same = rewritten.as_deref() == Some(text.as_str());
            prop_assert_eq!(number::plain(&bytes(text.as_str())).is_some(), is_same, "{}", text);
        }
    }

    #[test]
    fn every_value_can_be_read_from_its_encoding(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        model::check(&input)?;
    }

    #[test]
    fn the_order_of_a_map_does_not_matter(
        map in proptest::collection::hash_map(".*", proptest::collection::vec(".*", 0..3), 0..8),
    ) {
        let sorted: BTreeMap<_, _> = map.iter().collect();
        prop_assert_eq!(bytes(&map), bytes(&sorted));
    }
}

/// A map as its keys, and then its values.
struct Halves(HashMap<&'static str, u8>);

impl Serialize for Halves {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Half<I>(std::cell::RefCell<Option<I>>);

        impl<I: IntoIterator<Item: Serialize>> Serialize for Half<I> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.borrow_mut().take().unwrap())
            }
        }

        (Half(Some(self.0.keys()).into()), Half(Some(self.0.values()).into())).serialize(serializer)
    }
}

#[test]
fn the_halves_of_a_map_belong_together() {
    let (one, other) =
        (|| Halves(HashMap::from([("a", 1), ("b", 2)])), || Halves(HashMap::from([("a", 2), ("b", 1)])));
    // In whatever order the tables have them.
    let (one, other): (Vec<_>, Vec<_>) = (0..20).map(|_| (bytes(&one()), bytes(&other()))).unzip();
    assert!(!one.iter().any(|one| other.contains(one)));
}
