use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    num::NonZeroU8,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::*;

mod attributes;
mod evolution;
mod hard;

fn shape<V: DeserializeOwned + 'static>() -> Shape {
    Shape::of::<V>(Codec::MessagePack)
}

fn of<V: DeserializeOwned + 'static>() -> u64 {
    shape::<V>().fingerprint(None)
}

/// The fingerprint of the type that is declared last; the same names can be declared again elsewhere.
macro_rules! shape_of {
    ($ty:ty, $($item:item)+) => {{
        $(#[derive(serde::Deserialize)] #[allow(dead_code, reason = "only deserialized")] $item)+
        of::<$ty>()
    }};
}
use shape_of;

// A part of the wire format: these numbers never change, or all that is stored becomes a miss.
#[test]
fn golden_fingerprints() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct User {
        id: u64,
        name: String,
        tags: Vec<String>,
        role: Role,
        manager: Option<Box<User>>,
        limits: BTreeMap<String, f64>,
    }
    #[derive(Deserialize)]
    enum Role {
        Admin,
        Member(#[allow(dead_code, reason = "only deserialized")] u8),
        Guest {
            #[allow(dead_code, reason = "only deserialized")]
            until: (i32, u8),
        },
    }
    let shape = shape::<User>();
    assert!(shape.is_whole());
    let fingerprints =
        [of::<u64>(), of::<String>(), of::<Vec<Option<bool>>>(), of::<User>(), shape.fingerprint(Some(3))]
            .map(|fingerprint| format!("{fingerprint:016x}"));
    let expected =
        ["10671a73902e8518", "bac68e5516925261", "43c73588c49cbf5e", "ecbd64c066b345e1", "3fdfb60476865907"];
    assert_eq!(fingerprints, expected);
}

#[test]
fn every_kind_of_type_has_a_shape_of_its_own() {
    #[derive(Deserialize)]
    struct Unit;
    #[derive(Deserialize)]
    struct Newtype(#[allow(dead_code, reason = "only deserialized")] u8);
    #[derive(Deserialize)]
    struct Pair(
        #[allow(dead_code, reason = "only deserialized")] u8,
        #[allow(dead_code, reason = "only deserialized")] u8,
    );

    let shapes = [
        of::<bool>(),
        of::<char>(),
        of::<i8>(),
        of::<i16>(),
        of::<i32>(),
        of::<i64>(),
        of::<i128>(),
        of::<u8>(),
        of::<u16>(),
        of::<u32>(),
        of::<u64>(),
        of::<u128>(),
        of::<f32>(),
        of::<f64>(),
        of::<String>(),
        of::<()>(),
        of::<(u8, u8)>(),
        of::<(u8, u8, u8)>(),
        of::<(u8, u16)>(),
        of::<Option<u8>>(),
        of::<Option<Option<u8>>>(),
        of::<Vec<u8>>(),
        of::<Vec<Vec<u8>>>(),
        of::<HashMap<String, u8>>(),
        of::<HashMap<String, u16>>(),
        of::<HashMap<u8, u8>>(),
        of::<Result<u8, String>>(),
        of::<Result<String, u8>>(),
        of::<Duration>(),
        of::<SystemTime>(),
        of::<IpAddr>(),
        of::<std::ops::Range<u8>>(),
        of::<Unit>(),
        of::<Newtype>(),
        of::<Pair>(),
        of::<serde_json::Value>(),
    ];
    let different: HashSet<_> = shapes.iter().collect();
    assert_eq!(different.len(), shapes.len());
}

#[test]
fn wrappers_that_serialize_alike_have_one_shape() {
    let shapes = [of::<Box<u8>>(), of::<std::cell::RefCell<u8>>(), of::<std::borrow::Cow<'static, u8>>()];
    assert_eq!(shapes, [of::<u8>(); 3]);
    assert_eq!(of::<HashMap<String, u8>>(), of::<BTreeMap<String, u8>>());
    assert_eq!(of::<HashSet<u8>>(), of::<Vec<u8>>());
    assert_eq!(of::<usize>(), of::<u64>());
}

#[test]
fn usual_types_are_walked_to_the_end() {
    assert!(shape::<SystemTime>().is_whole());
    assert!(shape::<IpAddr>().is_whole());
    assert!(Shape::of::<IpAddr>(Codec::Json).is_whole());
    assert!(shape::<std::net::SocketAddr>().is_whole());
    assert!(shape::<NonZeroU8>().is_whole());
    assert!(shape::<Result<Vec<Duration>, String>>().is_whole());
    assert!(shape::<serde_json::Value>().is_whole());
    assert!(shape::<[u8; 32]>().is_whole());
    assert!(shape::<std::path::PathBuf>().is_whole());
}

#[test]
fn a_schema_version_is_part_of_it() {
    let shape = shape::<u8>();
    let versions = [None, Some(0), Some(1), Some(2)].map(|schema| shape.fingerprint(schema));
    assert_eq!(versions.iter().collect::<HashSet<_>>().len(), versions.len());
}

#[test]
fn a_form_for_people_has_a_shape_of_its_own() {
    assert_ne!(Shape::of::<IpAddr>(Codec::Json), Shape::of::<IpAddr>(Codec::MessagePack));
    assert_eq!(Shape::of::<u8>(Codec::Json), Shape::of::<u8>(Codec::MessagePack));
}

#[test]
fn what_null_cannot_tell_is_known() {
    #[derive(Deserialize)]
    struct Inner(#[allow(dead_code, reason = "only deserialized")] Option<u8>);
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct Cycle(Option<Box<Cycle>>);
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code, reason = "only deserialized")]
    enum Untagged {
        A { x: Option<Option<u8>> },
    }
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct Node {
        next: Option<Box<Node>>,
        weight: Option<u8>,
    }

    for doubtful in [
        shape::<Vec<Option<Option<u8>>>>(),
        shape::<Option<()>>(),
        shape::<Option<Inner>>(),
        shape::<Cycle>(),
        shape::<Option<serde_json::Value>>(),
        shape::<Untagged>(),
    ] {
        assert!(!doubtful.is_kept_by(Codec::MessagePack), "{doubtful:?}");
        assert!(!doubtful.is_kept_by(Codec::Json), "{doubtful:?}");
    }
    for sure in [
        shape::<Option<u8>>(),
        shape::<Option<Vec<Option<u8>>>>(),
        shape::<Node>(),
        shape::<Option<String>>(),
    ] {
        assert!(sure.is_kept_by(Codec::MessagePack), "{sure:?}");
        assert!(sure.is_kept_by(Codec::Json), "{sure:?}");
        assert!(!sure.is_kept_by(Codec::Bincode), "{sure:?}");
    }
    let float = shape::<Option<f32>>();
    assert!(float.is_kept_by(Codec::MessagePack) && !float.is_kept_by(Codec::Json));
}
