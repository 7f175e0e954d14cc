//! Some types of the other rows as larder knows them when a service returns them: by their own names.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddrV6,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    row::{Expected, REFUSED},
    table,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    #[serde(skip_serializing)]
    hash: Option<String>,
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
}

/// A list of lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    id: u32,
    next: Option<Box<Node>>,
}

/// Neither `PartialEq` nor `Debug`.
#[derive(Clone, Serialize, Deserialize)]
struct Unknown {
    id: u64,
    #[serde(skip_deserializing)]
    level: u8,
}

fn user(hash: Option<&str>, nanoseconds: u32) -> User {
    let at = DateTime::from_timestamp(1_700_000_000, nanoseconds).expect("it exists");
    User { id: 1, name: "Ada".to_owned(), hash: hash.map(str::to_owned), at }
}

fn list(nodes: u32) -> Node {
    (1..nodes).fold(Node { id: 0, next: None }, |next, id| Node { id, next: Some(Box::new(next)) })
}

table! {
    pub(super) fn rows;
    concrete "concrete: String": String = ["text".to_owned()];
    concrete "concrete: None": Option<u64> = [None, Some(1)];
    concrete "concrete: None in an Arc": Arc<Vec<Option<u64>>> = [Arc::new(vec![None, Some(1)])];
    concrete "concrete: Some(None)": Option<Option<u64>> = [Some(None)] => Expected::shared([false, false, true]);
    concrete "concrete: null": Value = [Value::Null] => Expected::shared([true, true, false]);
    concrete "concrete: JSON": Vec<Value> = [vec![json!({"a": [1, 2.5, null]})]] => Expected::shared([true, true, false]);
    concrete "concrete: struct": User = [user(None, 0)] => Expected::shared([true, true, false]);
    concrete "concrete: lost by serde": User = [user(Some("hash"), 0)] => REFUSED;
    concrete "concrete: lost unseen": User = [user(None, 1)] => REFUSED.unseen("`ts_seconds`");
    concrete "concrete: by names alone": Unknown = [Unknown { id: 1, level: 2 }] => REFUSED;
    concrete "concrete: a scope": SocketAddrV6 = [SocketAddrV6::new([0, 0, 0, 0, 0, 0, 0, 1].into(), 80, 0, 3)]
        => Expected::shared([false, true, false]).unseen("compactly, serde leaves out the scope of an address");
    concrete "concrete: deep": Node = [list(20), list(60)];
    concrete "concrete: maps": HashMap<String, BTreeMap<u8, f64>> = [
        HashMap::from([("a".to_owned(), BTreeMap::from([(1, 0.1)]))]),
    ];
}
