//! Options, results, and what wraps a value in std.

use std::{
    borrow::Cow,
    cell::RefCell,
    marker::PhantomData,
    ops::{Bound, Range, RangeFrom, RangeInclusive, RangeTo},
    sync::{Arc, Mutex, RwLock},
};

use serde::{Deserialize, Serialize};

use crate::{
    row::{Expected, SAME},
    table,
};

/// One `null` would stand for two values.
const ONLY_BINCODE: Expected = Expected::shared([false, false, true]);

/// MessagePack writes a unit struct as an empty list.
const NOT_JSON: Expected = Expected::shared([true, false, true]);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct EmptyTuple();

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(u8, Option<u8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named<T> {
    first: T,
    second: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Every {
    Unit,
    EmptyTuple(),
    EmptyStruct {},
    Newtype(u8),
    Tuple(u8, String),
    Struct { a: u8, b: Option<u8> },
    NewtypeUnit(()),
    NewtypeOption(Option<u8>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Marked<T> {
    id: u64,
    of: PhantomData<T>,
}

fn text() -> String {
    "text".to_owned()
}

table! {
    pub(super) fn rows;
    "Option<u8>": Option<u8> = [None, Some(0), Some(255)];
    "Option<String>": Option<String> = [None, Some(String::new()), Some(text())];
    "Option<bool>": Option<bool> = [None, Some(false), Some(true)];
    "Option<Vec<u8>>": Option<Vec<u8>> = [None, Some(vec![]), Some(vec![0])];
    "Vec<Option<u8>>": Vec<Option<u8>> = [vec![None, Some(1), None]];
    "Option<Option<u8>>, told apart": Option<Option<u8>> = [None, Some(Some(1))];
    concrete "Option<Option<u8>>, Some(None)": Option<Option<u8>> = [Some(None)] => ONLY_BINCODE;
    "Option<Option<Option<u8>>>": Option<Option<Option<u8>>> = [Some(Some(None)), Some(None)] => ONLY_BINCODE;
    "Vec<Option<Option<u8>>>": Vec<Option<Option<u8>>> = [vec![Some(None)]] => ONLY_BINCODE;
    "Option<()>, None": Option<()> = [None];
    "Option<()>, Some": Option<()> = [Some(())] => ONLY_BINCODE;
    "Option<Unit>, Some": Option<Unit> = [Some(Unit)] => NOT_JSON;
    "Option<Newtype<()>>": Option<Newtype<()>> = [Some(Newtype(()))] => ONLY_BINCODE;
    "Option<PhantomData>": Option<PhantomData<u8>> = [Some(PhantomData)] => NOT_JSON;
    "Option<Newtype<Option<u8>>>": Option<Newtype<Option<u8>>> = [Some(Newtype(None))] => ONLY_BINCODE;
    "Named<Option<u8>>": Named<Option<u8>> = [Named { first: None, second: Some(None) }] => ONLY_BINCODE;
    "Named<Option<u8>>, told apart": Named<Option<u8>> = [Named { first: Some(1), second: None }];
    "Result<u8, String>": Named<Result<u8, String>> = [Named { first: Ok(1), second: Some(Err(text())) }];
    "Result<(), ()>": Vec<Result<(), ()>> = [vec![Ok(()), Err(())]];
    "Result<Option<u8>, Option<u8>>": Vec<Result<Option<u8>, Option<u8>>> = [vec![Ok(None), Err(None), Ok(Some(1))]];
    "Bound<u8>": Bound<u8> = [Bound::Unbounded, Bound::Included(1), Bound::Excluded(1)];
    "(Bound<u8>, Bound<u8>)": (Bound<u8>, Bound<u8>) = [(Bound::Included(1), Bound::Unbounded)];
    "Range<u64>": Range<u64> = [0..10, Range { start: 10, end: 0 }];
    "RangeInclusive<u8>": RangeInclusive<u8> = [0..=255];
    concrete "RangeInclusive<u8>, exhausted": RangeInclusive<u8> = [exhausted()]
        => Expected::shared([false, false, false]).unseen("serde leaves out whether a range is exhausted");
    "RangeFrom<u8>": RangeFrom<u8> = [1..];
    "RangeTo<u8>": RangeTo<u8> = [..1];
    "Range<char>": Range<char> = ['a'..'y'];
    "Box<u8>": Box<u8> = [Box::new(1)];
    "Box<[u8]>": Box<[u8]> = [Box::new([1, 2])];
    "Box<Option<u8>>": Box<Option<u8>> = [Box::new(Some(1))];
    "Arc<Vec<u8>>": Arc<Vec<u8>> = [Arc::new(vec![1])];
    "Arc<[String]>": Arc<[String]> = [Arc::new([text()])];
    "Cow<'static, str>": Cow<'static, str> = [Cow::Borrowed("borrowed"), Cow::Owned(text())];
    "Cow<'static, [u8]>": Cow<'static, [u8]> = [Cow::Borrowed(&[1, 2])];
    "Arc<Mutex<u8>>": Arc<Mutex<u8>> = [Arc::new(Mutex::new(1))];
    "Arc<RwLock<String>>": Arc<RwLock<String>> = [Arc::new(RwLock::new(text()))];
    "Arc<Mutex<RefCell<u8>>>": Arc<Mutex<RefCell<u8>>> = [Arc::new(Mutex::new(RefCell::new(1)))];
    "PhantomData<u8>": PhantomData<u8> = [PhantomData];
    "Marked<String>": Marked<String> = [Marked { id: 1, of: PhantomData }];
    "Unit": Unit = [Unit];
    "Empty": Empty = [Empty {}];
    "EmptyTuple": EmptyTuple = [EmptyTuple()];
    "Newtype<u8>": Newtype<u8> = [Newtype(1)];
    "Newtype<Newtype<String>>": Newtype<Newtype<String>> = [Newtype(Newtype(text()))];
    "Pair": Pair = [Pair(1, None), Pair(1, Some(2))];
    "Named<u8>": Named<u8> = [Named { first: 1, second: None }, Named { first: 1, second: Some(0) }];
    "Vec<Unit>": Vec<Unit> = [vec![Unit, Unit, Unit]];
    "Vec<()>": Vec<()> = [vec![(); 3]];
    "Every": Every = [
        Every::Unit,
        Every::EmptyTuple(),
        Every::EmptyStruct {},
        Every::Newtype(1),
        Every::Tuple(1, text()),
        Every::Struct { a: 1, b: None },
        Every::NewtypeUnit(()),
        Every::NewtypeOption(None),
        Every::NewtypeOption(Some(1)),
    ];
    "Vec<Every>": Vec<Every> = [vec![Every::Unit, Every::NewtypeUnit(()), Every::EmptyStruct {}]];
    "Option<Every>": Option<Every> = [Some(Every::Unit), None] => SAME;
}

/// Equal to `1..=1` in all that can be asked with its fields, and empty.
fn exhausted() -> RangeInclusive<u8> {
    let mut range = 1..=1;
    range.next();
    range
}
