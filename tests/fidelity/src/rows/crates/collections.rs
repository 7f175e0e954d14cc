//! Collections.

use std::collections::HashMap;

use bimap::BiBTreeMap;
use dashmap::{DashMap, DashSet};
use either::Either;
use enum_map::{Enum, EnumMap};
use indexmap::{IndexMap, IndexSet};
use ndarray::{Array1, Array2, ArrayD};
use nonempty::NonEmpty;
use petgraph::{graph::UnGraph, graphmap::DiGraphMap, stable_graph::StableDiGraph};
use serde::{Deserialize, Serialize};
use slotmap::{DefaultKey, SecondaryMap, SlotMap};
use smallvec::SmallVec;
use thin_vec::ThinVec;
use vec1::Vec1;

use crate::{row::Expected, table};

const NOT_JSON: Expected = Expected::shared([true, false, true]);
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, Serialize, Deserialize)]
enum Colour {
    Red,
    Green,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UntaggedEither {
    #[serde(with = "either::serde_untagged")]
    of: Either<u8, String>,
}

/// Order counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ordered(IndexMap<String, u8>);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().eq(&other.0)
    }
}

fn text() -> String {
    "text".to_owned()
}

fn with_a_hole() -> SlotMap<DefaultKey, u8> {
    let mut map = SlotMap::new();
    let first = map.insert(1);
    map.insert(2);
    map.remove(first);
    map
}

fn graph() -> StableDiGraph<String, f32> {
    let mut graph = StableDiGraph::new();
    let (a, b, c) =
        (graph.add_node("a".to_owned()), graph.add_node("b".to_owned()), graph.add_node("c".to_owned()));
    graph.extend_with_edges([(a, b, 0.5), (b, c, 1.5)]);
    graph.remove_node(a);
    graph
}

table! {
    pub(super) fn rows;
    concrete "smallvec::SmallVec": SmallVec<[u8; 4]> = [SmallVec::new(), (0..10).collect()];
    concrete "arrayvec::ArrayVec": arrayvec::ArrayVec<String, 4> = [[text()].into_iter().collect()];
    "arrayvec::ArrayString": arrayvec::ArrayString<8> = [arrayvec::ArrayString::from("text").unwrap_or_default()];
    "tinyvec::ArrayVec": tinyvec::ArrayVec<[u8; 4]> = [tinyvec::array_vec!([u8; 4] => 1, 2)];
    concrete "tinyvec::TinyVec": tinyvec::TinyVec<[u8; 4]> = [(0..10).collect()];
    concrete "heapless::Vec": heapless::Vec<u8, 4> = [heapless::Vec::from_array([1, 2])];
    "heapless::String": heapless::String<8> = [heapless::String::try_from("text").unwrap_or_default()];
    "thin_vec::ThinVec": ThinVec<u8> = [ThinVec::from([1, 2])];
    "vec1::Vec1": Vec1<u8> = [Vec1::new(1)];
    concrete "nonempty::NonEmpty": NonEmpty<u8> = [NonEmpty::from((1, vec![2]))];
    concrete "indexmap::IndexMap": Ordered = [Ordered([("b".to_owned(), 1), ("a".to_owned(), 2)].into_iter().collect())];
    "indexmap::IndexMap<u8, u8>": IndexMap<u8, u8> = [[(2, 1), (1, 2)].into_iter().collect()];
    "indexmap::IndexSet": IndexSet<String> = [[text(), "a".to_owned()].into_iter().collect()];
    concrete "hashbrown::HashMap": hashbrown::HashMap<String, u8> = [('a'..='z').map(|name| (name.to_string(), 1)).collect()];
    "hashbrown::HashSet": hashbrown::HashSet<u64> = [(0..100).collect()];
    concrete "dashmap::DashMap": DashMap<String, u8> = [('a'..='z').map(|name| (name.to_string(), 1)).collect()];
    "dashmap::DashSet": DashSet<u64> = [(0..20).collect()];
    "bimap::BiBTreeMap": BiBTreeMap<String, u8> = [[(text(), 1)].into_iter().collect()];
    concrete "enum_map::EnumMap": EnumMap<Colour, u8> = [EnumMap::from_array([1, 2])];
    concrete "slotmap::SlotMap": SlotMap<DefaultKey, u8> = [with_a_hole()];
    "slotmap::SecondaryMap": SecondaryMap<DefaultKey, u8> = [with_a_hole().keys().map(|key| (key, 7)).collect()];
    concrete "either::Either": Either<u8, String> = [Either::Left(1), Either::Right(text())];
    concrete "either::Either, untagged": UntaggedEither = [
        UntaggedEither { of: Either::Left(1) }, UntaggedEither { of: Either::Right(text()) },
    ] => NOT_BINCODE;
    "ndarray::Array1": Array1<f64> = [Array1::from(vec![0.1, 0.2])];
    concrete "ndarray::Array2": Array2<i32> = [Array2::from_shape_fn((2, 3), |(row, column)| (row * 10 + column) as i32)];
    "ndarray::ArrayD": ArrayD<u8> = [ArrayD::zeros(vec![2, 1, 2])];
    concrete "petgraph::Graph": UnGraph<u8, ()> = [UnGraph::from_edges([(0, 1), (1, 2)])];
    "petgraph::StableGraph": StableDiGraph<String, f32> = [graph()];
    "petgraph::GraphMap": DiGraphMap<u8, u8> = [DiGraphMap::from_edges([(1, 2, 3)])];
    "HashMap<uuid::Uuid, u8>": HashMap<uuid::Uuid, u8> = [HashMap::from([(uuid::Uuid::max(), 1)])];
    "HashMap<IpNet, chrono::NaiveDate>": HashMap<ipnet::IpNet, chrono::NaiveDate> = [
        HashMap::from([(ipnet::IpNet::default(), chrono::NaiveDate::MAX)]),
    ];
    "HashMap<OrderedFloat<f64>, u8>": HashMap<ordered_float::OrderedFloat<f64>, u8> = [
        HashMap::from([(ordered_float::OrderedFloat(0.5), 1)]),
    ];
    "HashMap<Either<u8, u8>, u8>": HashMap<Either<u8, u8>, u8> = [HashMap::from([(Either::Left(1), 1)])] => NOT_JSON;
    "Option<Either<(), u8>>": Option<Either<(), u8>> = [Some(Either::Left(()))];
}
