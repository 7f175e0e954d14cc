//! Values of any form, and what has one of its own.

use std::collections::BTreeMap;

use async_graphql_value::ConstValue;
use geo_types::{Geometry, LineString, Point, Polygon};
use geojson::{Feature, FeatureCollection, GeoJson};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use crate::{
    row::{Expected, REFUSED},
    table,
};

const NOT_BINCODE: Expected = Expected::shared([true, true, false]);
const ONLY_JSON: Expected = Expected::shared([false, true, false]);
const ONLY_MESSAGE_PACK: Expected = Expected::shared([true, false, false]);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event {
    id: u64,
    payload: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Maybe {
    payload: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Raw {
    id: u64,
    payload: Box<RawValue>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Dated {
    at: toml::value::Datetime,
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("it is JSON")
}

fn toml(text: &str) -> toml::Table {
    toml::from_str(text).expect("it is TOML")
}

fn tagged() -> serde_norway::Value {
    let value = serde_norway::Value::from("s");
    serde_norway::Value::Tagged(Box::new(serde_norway::value::TaggedValue {
        tag: serde_norway::value::Tag::new("secret"),
        value,
    }))
}

fn yaml() -> serde_norway::Value {
    serde_norway::from_str("a: [1, 1.5, null, true]\nb: {c: text}\n").expect("it is YAML")
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!([inner]))
}

fn geometry() -> geojson::Geometry {
    geojson::Geometry::new(geojson::GeometryValue::new_point([1.5, -2.0]))
}

fn feature() -> Feature {
    Feature { geometry: Some(geometry()), ..Feature::default() }
}

table! {
    pub(super) fn rows;
    concrete "serde_json::Value": Value = [
        json!({"a": [1, -1, 1.5, null, true, "text"], "b": {}}), json!([]), json!("text"), json!(false),
    ] => NOT_BINCODE;
    "serde_json::Value, null": Value = [Value::Null] => NOT_BINCODE;
    "serde_json::Value, numbers": Value = [json!(u64::MAX), json!(i64::MIN), json!(0.1), json!(1e300), json!(-0.0)]
        => NOT_BINCODE;
    "serde_json::Value, a whole float": Value = [json!(1.0)] => NOT_BINCODE;
    "serde_json::Value in a struct": Event = [
        Event { id: 1, payload: json!({"x": 1}) }, Event { id: 1, payload: Value::Null },
    ] => NOT_BINCODE;
    "Option<serde_json::Value>, None": Option<Value> = [None];
    "Option<serde_json::Value>, Some": Option<Value> = [Some(json!(1))] => NOT_BINCODE;
    concrete "Option<serde_json::Value>, Some(null)": Option<Value> = [Some(Value::Null)] => REFUSED;
    "Option<serde_json::Value> in a struct, Some(null)": Maybe = [Maybe { payload: Some(Value::Null) }] => REFUSED;
    "serde_json::Value, 60 deep": Value = [nested(60)] => NOT_BINCODE;
    "serde_json::Value, 100 deep": Value = [nested(100)] => NOT_BINCODE;
    "serde_json::Value, 126 deep": Value = [nested(126)] => NOT_BINCODE;
    "serde_json::Value, 500 deep": Value = [nested(500)] => ONLY_MESSAGE_PACK;
    concrete "serde_json::Map": serde_json::Map<String, Value> = [serde_json::Map::from_iter([("a".to_owned(), json!(1))])]
        => NOT_BINCODE;
    concrete "serde_json::Number": serde_json::Number = [1.into(), (-1).into(), u64::MAX.into()] => NOT_BINCODE;
    concrete "serde_json::value::RawValue": Box<RawValue> = [raw("{\"a\": [1,  2.50]}")] => ONLY_JSON;
    "serde_json::value::RawValue in a struct": Raw = [Raw { id: 1, payload: raw("[1,  1e5]") }] => ONLY_JSON;
    concrete "toml::Table": toml::Table = [toml("a = 1\nb = [1.5, \"x\"]\n[c]\nd = true")] => NOT_BINCODE;
    concrete "toml::Table with a date": toml::Table = [toml("at = 2026-11-28T01:02:03Z")] => NOT_BINCODE;
    concrete "toml::value::Datetime": Dated = [Dated { at: "2026-11-28T01:02:03.5Z".parse().expect("it is a date") }]
        => NOT_BINCODE;
    "toml::Value": toml::Value = [toml::Value::Integer(1), toml::Value::Float(1.0)] => NOT_BINCODE;
    concrete "serde_norway::Value": serde_norway::Value = [yaml()] => NOT_BINCODE;
    concrete "serde_norway::Value with a tag": serde_norway::Value = [tagged()] => REFUSED;
    "serde_norway::Value, keys that are numbers": serde_norway::Value = [
        serde_norway::from_str("{1: a, true: b}").expect("it is YAML"),
    ] => ONLY_MESSAGE_PACK;
    concrete "rmpv::Value": rmpv::Value = [
        rmpv::Value::Nil, rmpv::Value::from(1), rmpv::Value::Array(vec![rmpv::Value::from("x"), 1.5.into()]),
    ] => NOT_BINCODE;
    concrete "rmpv::Value, binary": rmpv::Value = [rmpv::Value::Binary(vec![1, 2])] => ONLY_MESSAGE_PACK;
    "rmpv::Value, an extension": rmpv::Value = [rmpv::Value::Ext(1, vec![2])] => ONLY_MESSAGE_PACK;
    concrete "ciborium::Value": ciborium::Value = [
        ciborium::Value::Null, ciborium::Value::Integer(1.into()), ciborium::Value::Text("x".to_owned()),
    ] => NOT_BINCODE;
    "ciborium::Value, bytes": ciborium::Value = [ciborium::Value::Bytes(vec![1, 2])] => ONLY_MESSAGE_PACK;
    concrete "ciborium::Value, a tag": ciborium::Value = [
        ciborium::Value::Tag(0, Box::new(ciborium::Value::Text("2026-11-28T00:00:00Z".to_owned()))),
    ] => REFUSED;
    concrete "async_graphql_value::ConstValue": ConstValue = [
        ConstValue::Null, ConstValue::from(1), ConstValue::List(vec![ConstValue::Null, "x".into()]),
    ] => NOT_BINCODE;
    "async_graphql_value::ConstValue, binary": ConstValue = [ConstValue::Binary(vec![1].into())] => ONLY_MESSAGE_PACK;
    concrete "geo_types::Point": Point = [Point::new(0.1, -0.2)];
    "geo_types::Polygon": Polygon = [Polygon::new(LineString::from(vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]), vec![])];
    "geo_types::Geometry": Geometry = [Geometry::Point(Point::new(0.1, -0.2))];
    "geojson::Geometry": geojson::Geometry = [geometry()] => NOT_BINCODE;
    concrete "geojson::Feature": Feature = [feature(), Feature::default()] => NOT_BINCODE;
    "geojson::FeatureCollection": FeatureCollection = [
        FeatureCollection { bbox: None, features: vec![feature()], foreign_members: None },
    ] => NOT_BINCODE;
    "geojson::GeoJson": GeoJson = [GeoJson::Geometry(geometry()), GeoJson::Feature(feature())] => NOT_BINCODE;
    "BTreeMap<String, serde_json::Value>": BTreeMap<String, Value> = [
        BTreeMap::from([("a".to_owned(), json!(1)), ("b".to_owned(), Value::Null)]),
    ] => NOT_BINCODE;
    "Vec<Option<serde_json::Value>>": Vec<Option<Value>> = [vec![Some(json!(1)), None]] => NOT_BINCODE;
}
