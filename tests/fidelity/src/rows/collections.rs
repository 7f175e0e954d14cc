//! Collections of std.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{row::Expected, table};

/// JSON's keys are texts, and serde_json makes texts of numbers and unit variants, and of nothing else.
const NO_JSON: Expected = Expected::shared([true, false, true]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Colour {
    Red,
    Green,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Name(String);

/// A heap, compared in its order.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Heap(BinaryHeap<u32>);

impl PartialEq for Heap {
    fn eq(&self, other: &Self) -> bool {
        self.0.clone().into_sorted_vec() == other.0.clone().into_sorted_vec()
    }
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    "Vec<u8>": Vec<u8> = [vec![], vec![0, 127, 128, 255], vec![7; 70_000]];
    "Vec<String>": Vec<String> = [vec![], vec![text(), String::new()]];
    "Vec<Vec<u16>>": Vec<Vec<u16>> = [vec![vec![], vec![1], vec![1, 2]]];
    "Vec<(String, u8)>": Vec<(String, u8)> = [vec![(text(), 1)]];
    "VecDeque<u8>": VecDeque<u8> = [VecDeque::from([1, 2, 3])];
    "LinkedList<u8>": LinkedList<u8> = [LinkedList::from([1, 2, 3])];
    "BinaryHeap<u32>": Heap = [Heap(BinaryHeap::from([3, 1, 2]))];
    "BinaryHeap<u32> by Debug": BinaryHeap<u32> = [BinaryHeap::from([3, 1, 2])];
    "BTreeSet<u8>": BTreeSet<u8> = [BTreeSet::from([1, 2, 3])];
    "BTreeSet<(u8, u8)>": BTreeSet<(u8, u8)> = [BTreeSet::from([(1, 2), (2, 1)])];
    "HashSet<String>": HashSet<String> = [HashSet::new(), ('a'..='z').map(String::from).collect()];
    "HashSet<u64>": HashSet<u64> = [(0..100).collect()];
    "BTreeMap<String, u8>": BTreeMap<String, u8> = [BTreeMap::new(), BTreeMap::from([(text(), 1)])];
    "HashMap<String, u8>": HashMap<String, u8> = [('a'..='z').map(|letter| (letter.into(), 1)).collect()];
    "HashMap<String, Option<u8>>": HashMap<String, Option<u8>> = [HashMap::from([(text(), None)])];
    "HashMap<String, HashMap<String, f64>>": HashMap<String, HashMap<String, f64>> = [
        HashMap::from([(text(), HashMap::from([(text(), 0.5)]))]),
    ];
    concrete "HashMap<u64, String>": HashMap<u64, String> = [(0..100).map(|id| (id, text())).collect()];
    "HashMap<i32, u8>": HashMap<i32, u8> = [HashMap::from([(i32::MIN, 1), (0, 2)])];
    "HashMap<bool, u8>": HashMap<bool, u8> = [HashMap::from([(true, 1), (false, 2)])];
    "HashMap<char, u8>": HashMap<char, u8> = [HashMap::from([('"', 1), ('ß', 2)])];
    "HashMap<Colour, u8>": HashMap<Colour, u8> = [HashMap::from([(Colour::Red, 1), (Colour::Green, 2)])];
    "HashMap<Name, u8>": HashMap<Name, u8> = [HashMap::from([(Name(text()), 1)])];
    concrete "HashMap<(u8, u8), u8>": HashMap<(u8, u8), u8> = [HashMap::from([((1, 2), 3)])] => NO_JSON;
    "HashMap<Point, u8>": HashMap<Point, u8> = [HashMap::from([(Point { x: 1, y: 2 }, 3)])] => NO_JSON;
    "HashMap<Vec<u8>, u8>": HashMap<Vec<u8>, u8> = [HashMap::from([(vec![1], 3)])] => NO_JSON;
    "HashMap<[u8; 2], u8>": HashMap<[u8; 2], u8> = [HashMap::from([([1, 2], 3)])] => NO_JSON;
    "HashMap<Option<u8>, u8>": HashMap<Option<u8>, u8> = [HashMap::from([(None, 3), (Some(1), 4)])] => NO_JSON;
    "HashMap<(), u8>": HashMap<(), u8> = [HashMap::from([((), 3)])] => NO_JSON;
    "HashMap<(u8, u8), u8>, empty": HashMap<(u8, u8), u8> = [HashMap::new()];
    "BTreeMap<u128, u8>": BTreeMap<u128, u8> = [BTreeMap::from([(u128::MAX, 1)])];
    "BTreeMap<i128, u8>": BTreeMap<i128, u8> = [BTreeMap::from([(i128::MIN, 1)])];
    "BTreeMap<Colour, Vec<Point>>": BTreeMap<Colour, Vec<Point>> = [
        BTreeMap::from([(Colour::Red, vec![Point { x: 1, y: -2 }])]),
    ];
    "Vec<HashMap<String, BTreeSet<u8>>>": Vec<HashMap<String, BTreeSet<u8>>> = [
        vec![HashMap::new(), HashMap::from([(text(), BTreeSet::from([1]))])],
    ];
    "Option<HashMap<u8, Option<u8>>>": Option<HashMap<u8, Option<u8>>> = [
        Some(HashMap::new()), Some(HashMap::from([(1, None), (2, Some(3))])), None,
    ];
}
