//! JSON of a writer that does not know the type: read by who knows it, if it says what the type would say.

use std::collections::{BTreeSet, HashSet};

use super::*;
use crate::{
    value::{Value, ValueType},
    wire::untyped::shape,
};

fn message(json: &str, schema: Option<u32>) -> Vec<u8> {
    Wire::default().untyped_message(json, &envelope(), schema).unwrap()
}

fn read<V>(json: &str) -> Result<V, Rejected>
where
    V: Serialize + DeserializeOwned + 'static,
{
    // Whatever the reader writes with.
    let values =
        wires().map(|wire| wire.decode::<V>(&message(json, None), None).map(|decoded| decoded.value));
    values.last().unwrap()
}

#[track_caller]
fn is<V>(json: &str, value: V)
where
    V: Serialize + DeserializeOwned + std::fmt::Debug + PartialEq + 'static,
{
    assert_eq!(read::<V>(json), Ok(value), "{json}");
}

#[track_caller]
fn is_not<V>(json: &str)
where
    V: Serialize + DeserializeOwned + std::fmt::Debug + PartialEq + 'static,
{
    assert_eq!(read::<V>(json), Err(Rejected::Untyped), "{json}");
}

#[test]
fn what_the_type_would_write_in_any_spelling() {
    is(r#"{"id":7,"name":"Ada"}"#, ada());
    is("{\"name\" : \"\\u0041da\",\n \"id\": 7}", ada());
    is(
        &serde_json::to_string(&Rich { numbers: (1, -300, 70_000, i64::MIN, 5, -5), ..rich() }).unwrap(),
        Rich { numbers: (1, -300, 70_000, i64::MIN, 5, -5), ..rich() },
    );
    is("null", None::<User>);
    is(r#"{"id":7,"name":"Ada"}"#, Some(ada()));
    is("1500", 1500.0);
    is("1.5e3", 1500.0);
    is("0.1", 0.1_f32);
    is("[3,1,2]", vec![3, 1, 2]);
    is("[3,1,2]", HashSet::from([1, 2, 3]));
    is("[3,1,2]", BTreeSet::from([1, 2, 3]));
    is(r#"{"b":null,"a":-1}"#, HashMap::from([("a".to_owned(), Some(-1)), ("b".to_owned(), None)]));
    is(r#"[{"x":[]},"y"]"#, serde_json::json!([{ "x": [] }, "y"]));
}

#[test]
fn what_says_more_or_less_or_something_else() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lenient {
        id: u64,
        #[serde(default)]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        city: Option<String>,
    }
    let whole = || Lenient { id: 7, name: "Ada".into(), city: None };
    is(r#"{"id":7,"name":"Ada"}"#, whole());
    is_not::<Lenient>(r#"{"id":7}"#);
    is_not::<Lenient>(r#"{"id":7,"name":"Ada","age":36}"#);
    is_not::<Lenient>(r#"{"id":7,"name":"Ada","city":null}"#);
    is_not::<User>(r#"{"id":"7","name":"Ada"}"#);
    is_not::<User>("[]");
    is_not::<HashSet<u8>>("[1,1]");
    is_not::<f32>("0.10000000001");
    // No float can tell it from its neighbours.
    is_not::<f64>("9007199254740993");
    is_not::<u8>("256");
    is_not::<Option<Option<u8>>>(r#"{"Some":1}"#);
    // What was read with another meaning is none of it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Renamed {
        id: u64,
        #[serde(rename(serialize = "label"))]
        name: String,
    }
    is_not::<Renamed>(r#"{"id":7,"name":"Ada"}"#);
}

/// What the type makes of it is written as the text says, and has a field that the text says nothing of.
#[test]
fn nothing_is_made_up_for_a_field_of_one_side() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Private {
        id: u64,
        #[serde(default, skip_serializing)]
        name: String,
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Aliased {
        id: u64,
        #[serde(alias = "label")]
        name: String,
    }
    is_not::<Private>(r#"{"id":7}"#);
    is_not::<Option<Vec<Private>>>(r#"[{"id":7}]"#);
    let aliased = || Aliased { id: 7, name: "Ada".into() };
    is(r#"{"id":7,"name":"Ada"}"#, aliased());
    is_not::<Aliased>(r#"{"id":7,"label":"Ada"}"#);
    // A comparison shows nothing: both values that it is given were read.
    Comparison::<Private>::new().by_eq().by_text().remember();
    let of = ValueType::of::<Private>(None);
    let message = message(r#"{"id":7}"#, None);
    let header = Header::parse(&message, &Limits::default()).unwrap();
    let value = Wire::default().value(of, &header, &message).map(drop);
    assert_eq!(value, Err(Rejected::Untyped));
}

#[test]
fn whole_numbers_keep_all_of_their_digits() {
    const BEYOND: u64 = u64::MAX;
    for text in ["18446744073709551616", "18446744073709551617", "-9223372036854775809", "9007199254740993"] {
        is_not::<f64>(text);
        is_not::<Vec<Option<f64>>>(&format!("[null, {text}]"));
        is(text, text.parse::<i128>().unwrap());
    }
    is_not::<serde_json::Value>("[18446744073709551617]");
    is("18446744073709551615", BEYOND);
    is("-9223372036854775808", i64::MIN);
    is(&format!("[{}, {}]", u128::MAX, i128::MIN), (u128::MAX, i128::MIN));
    is_not::<HashSet<u128>>("[18446744073709551617, 18446744073709551617]");
    // With a fraction or an exponent it says no more than a float does.
    is("1.8446744073709552e19", 18_446_744_073_709_552_000.0);
    is("18446744073709551617.0", 18_446_744_073_709_552_000.0);
    is("1e300", 1e300);
    // Digits in a text are none.
    is(r#"["18446744073709551617","\"18446744073709551617","\\"]"#, {
        ["18446744073709551617", "\"18446744073709551617", "\\"].map(str::to_owned)
    });
    is(r#"{"18446744073709551617":1.5}"#, HashMap::from([(18_446_744_073_709_551_617_u128, 1.5)]));
}

#[test]
fn it_is_no_error_that_is_kept() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "larder::KeptError")]
    struct Kept {
        error: String,
    }
    let wire = Wire::default();
    for schema in [None, Some(3)] {
        let of = ValueType::of::<User>(schema).or_error(Kept::TRANSPORT);
        let value = |message: &[u8]| {
            let header = Header::parse(message, &Limits::default()).unwrap();
            wire.value(of, &header, message).map(|(value, _)| value)
        };
        let untyped = |json| value(&message(json, schema));
        assert_eq!(untyped(r#"{"error":"gone"}"#).err(), Some(Rejected::Untyped));
        assert!(untyped(r#"{"id":7,"name":"Ada"}"#).unwrap().is::<User>());
        // That of a process is one.
        let typed = wire.encode(&Kept { error: "gone".into() }, &envelope(), schema).unwrap();
        assert!(value(&typed).unwrap().is::<Kept>());
    }
}

#[test]
fn the_schema_version_has_to_be_named() {
    let (json, wire) = (r#"{"id":7,"name":"Ada"}"#, Wire::default());
    let read = |written, wanted| wire.decode::<User>(&message(json, written), wanted).map(drop);
    assert_eq!(read(Some(3), Some(3)), Ok(()));
    for (written, wanted) in [(None, Some(0)), (Some(0), None), (Some(3), Some(4)), (Some(3), None)] {
        assert_eq!(read(written, wanted), Err(Rejected::Shape), "{written:?} for {wanted:?}");
    }
}

#[test]
fn a_panicking_type_and_what_is_no_json() {
    #[derive(Debug, PartialEq, Serialize)]
    struct Panics;
    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("in a test");
        }
    }
    assert_eq!(read::<Panics>("1"), Err(Rejected::Panicked));
    let write = |json: &str| Wire::default().untyped_message(json, &envelope(), None);
    for json in ["", "{", "1 2", "{\"a\":}", "nul", "\u{feff}1"] {
        assert!(matches!(write(json), Err(Unencodable::Codec { .. })), "{json}");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert!(write(&deep).is_err());
    let most = "[".repeat(120) + &"]".repeat(120);
    assert!(read::<serde_json::Value>(&most).is_ok());
    assert!(Wire::looks_untyped(&Header::parse(&message("1", Some(7)), &Limits::default()).unwrap()));
    let typed = Wire::default().encode(&ada(), &envelope(), None).unwrap();
    assert!(!Wire::looks_untyped(&Header::parse(&typed, &Limits::default()).unwrap()));
}

/// A part of the wire format: this never changes.
#[test]
fn its_number() {
    assert_eq!(format!("{:016x}", shape(None)), "4fd502c594d29086");
    assert_eq!(format!("{:016x}", shape(Some(0))), "e11e780cc9bbdc28");
}
