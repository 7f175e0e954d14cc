//! Two builds: what one release wrote, the next one does not take for its own, if the type has changed.

use super::*;

/// `read!(codecs; { old items, value: Type }, { new items, Type })`: what comes of reading it.
macro_rules! read {
    ($codec:expr, {$($old:item)+} $value:expr => $old_ty:ty, {$($new:item)+} $new_ty:ty) => {{
        let message = {
            $(#[derive(Debug, Serialize, Deserialize)] #[allow(dead_code, reason = "only read")] $old)+
            let value: $old_ty = $value;
            wire($codec).encode(&value, &no_scopes(), None).unwrap()
        };
        $(#[derive(Debug, Serialize, Deserialize)] #[allow(dead_code, reason = "only read")] $new)+
        wire($codec).decode::<$new_ty>(&message, None).map(drop)
    }};
}

#[test]
fn fields() {
    macro_rules! into {
        ($codec:expr, $new_ty:ty, { $($new:item)+ } $(,)?) => {
            read!($codec,
                { struct User { id: u64, name: Option<String>, city: Option<String> } }
                User { id: 7, name: None, city: None } => User, { $($new)+ } $new_ty)
        };
    }
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        assert_eq!(
            into!(codec, User, {
                struct User {
                    id: u64,
                    name: Option<String>,
                    city: Option<String>,
                }
            }),
            Ok(())
        );
        for (change, read) in [
            (
                "gained",
                into!(codec, User, {
                    struct User {
                        id: u64,
                        name: Option<String>,
                        city: Option<String>,
                        age: Option<u8>,
                    }
                }),
            ),
            (
                "lost",
                into!(codec, User, {
                    struct User {
                        id: u64,
                        name: Option<String>,
                    }
                }),
            ),
            (
                "renamed",
                into!(codec, User, {
                    struct User {
                        id: u64,
                        name: Option<String>,
                        town: Option<String>,
                    }
                }),
            ),
            (
                "swapped",
                into!(codec, User, {
                    struct User {
                        id: u64,
                        city: Option<String>,
                        name: Option<String>,
                    }
                }),
            ),
            (
                "retyped",
                into!(codec, User, {
                    struct User {
                        id: i64,
                        name: Option<String>,
                        city: Option<String>,
                    }
                }),
            ),
            (
                "another type",
                into!(codec, Account, {
                    struct Account {
                        id: u64,
                        name: Option<String>,
                        city: Option<String>,
                    }
                }),
            ),
            (
                "an alias",
                into!(codec, User, {
                    struct User {
                        id: u64,
                        name: Option<String>,
                        #[serde(alias = "town")]
                        city: Option<String>,
                    }
                }),
            ),
        ] {
            assert!(read.is_err(), "{codec:?}: {change}");
        }
    }
}

#[test]
fn variants() {
    macro_rules! into {
        ($codec:expr, { $($new:item)+ } $(,)?) => {
            read!($codec, { enum Event { Begun, Moved(u8, u8) } } vec![Event::Begun, Event::Moved(1, 2)] => Vec<Event>,
                { $($new)+ } Vec<Event>)
        };
    }
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        assert_eq!(
            into!(codec, {
                enum Event {
                    Begun,
                    Moved(u8, u8),
                }
            }),
            Ok(())
        );
        assert!(
            into!(codec, {
                enum Event {
                    Begun,
                    Moved(u8, u8),
                    New,
                }
            })
            .is_err()
        );
        assert!(
            into!(codec, {
                enum Event {
                    Moved(u8, u8),
                    Begun,
                }
            })
            .is_err()
        );
        assert!(
            into!(codec, {
                enum Event {
                    Begun,
                    Moved(u8, u16),
                }
            })
            .is_err()
        );
        assert!(
            into!(codec, {
                enum Event {
                    Begun,
                    Moved { x: u8, y: u8 },
                }
            })
            .is_err()
        );
    }
}

/// What serde buffers is out of the trace's sight; the value that was read shows it.
#[test]
fn a_field_that_is_renamed_where_serde_buffers() {
    macro_rules! flattened {
        ($codec:expr, $number:ty, $($last:tt)*) => {
            read!($codec,
                {
                    struct Outer { id: u8, #[serde(flatten)] inner: Inner }
                    struct Inner { a: u8, city: Option<String> }
                }
                Outer { id: 1, inner: Inner { a: 1, city: Some("Rome".into()) } } => Outer,
                {
                    struct Outer { id: u8, #[serde(flatten)] inner: Inner }
                    struct Inner { a: $number, $($last)* }
                } Outer)
        };
    }
    for codec in TEXTS {
        assert_eq!(flattened!(codec, u8, city: Option<String>), Ok(()));
        for read in [
            flattened!(codec, u8, town: Option<String>),
            flattened!(codec, u8, #[serde(default)] town: String),
            flattened!(codec, u16, city: Option<String>),
            flattened!(codec, u8, #[serde(rename(serialize = "town"))] city: Option<String>),
        ] {
            assert_eq!(read, Err(Rejected::Shape));
        }
    }

    macro_rules! tagged {
        ($codec:expr, $attribute:meta, $field:ident: $ty:ty) => {
            read!($codec, { #[$attribute] enum Kind { A { x: u8, y: Option<u8> } } } Kind::A { x: 1, y: Some(2) } => Kind,
                { #[$attribute] enum Kind { A { x: u8, $field: $ty } } } Kind)
        };
    }
    for codec in TEXTS {
        assert_eq!(tagged!(codec, serde(untagged), y: Option<u8>), Ok(()));
        assert_eq!(tagged!(codec, serde(untagged), z: Option<u8>), Err(Rejected::Shape));
        assert_eq!(tagged!(codec, serde(tag = "kind"), y: Option<u8>), Ok(()));
        assert_eq!(tagged!(codec, serde(tag = "kind"), z: Option<u8>), Err(Rejected::Shape));
        assert_eq!(tagged!(codec, serde(tag = "kind"), y: Option<u16>), Err(Rejected::Shape));
    }
}

/// As a dependency's feature does it (`serde_json/arbitrary_precision`): the same type of a crate reads and writes
/// numbers otherwise in another build.
#[test]
fn a_build_that_reads_numbers_as_something_else() {
    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
        ser::SerializeStruct,
    };

    /// `PRECISE` is the feature.
    #[derive(Debug, PartialEq)]
    struct Any<const PRECISE: bool>(String);
    impl<const PRECISE: bool> Serialize for Any<PRECISE> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if PRECISE {
                let mut number = serializer.serialize_struct("$private::Number", 1)?;
                number.serialize_field("$private::Number", &self.0)?;
                return number.end();
            }
            serializer.serialize_u64(self.0.parse().unwrap_or_default())
        }
    }
    impl<'de, const PRECISE: bool> Deserialize<'de> for Any<PRECISE> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Number;
            impl<'de> Visitor<'de> for Number {
                type Value = String;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a number")
                }
                fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
                    Ok(number.to_string())
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
                    let entry = map.next_entry::<String, String>()?;
                    entry.map(|(_, number)| number).ok_or_else(|| A::Error::custom("no number"))
                }
            }
            deserializer.deserialize_any(Number).map(Self)
        }
    }
    for codec in TEXTS {
        let plain = wire(codec).encode(&Any::<false>("7".into()), &no_scopes(), None).unwrap();
        let precise = wire(codec).encode(&Any::<true>("7".into()), &no_scopes(), None).unwrap();
        assert!(wire(codec).decode::<Any<false>>(&plain, None).is_ok());
        assert!(wire(codec).decode::<Any<true>>(&precise, None).is_ok());
        assert_eq!(wire(codec).decode::<Any<true>>(&plain, None), Err(Rejected::Shape));
        assert_eq!(wire(codec).decode::<Any<false>>(&precise, None), Err(Rejected::Shape));
    }
}

/// What is foreign from its first request on is not read any further.
#[test]
fn the_first_request_is_known_before_it_is_answered() {
    #[derive(Debug, PartialEq, Serialize)]
    struct Never(u8);
    impl<'de> Deserialize<'de> for Never {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u8::deserialize(deserializer)?;
            unreachable!("{number} was read")
        }
    }
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        let message = wire(codec).encode(&(7_u64, 8_u64), &no_scopes(), None).unwrap();
        assert_eq!(wire(codec).decode::<Never>(&message, None), Err(Rejected::Shape));
    }
}

/// A part of the wire format: these numbers never change, or all that is stored becomes a miss.
#[test]
fn golden_fingerprints() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Account {
        id: u64,
        tags: Vec<String>,
        role: Role,
        manager: Option<Box<Account>>,
        limits: BTreeMap<String, f64>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Role {
        Admin,
        Member(u8),
        Guest { until: (i32, u8) },
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Flat {
        id: i8,
        #[serde(flatten)]
        more: BTreeMap<String, Option<bool>>,
    }
    let account = |role| Account {
        id: 1,
        tags: vec!["a".into()],
        role,
        manager: None,
        limits: BTreeMap::from([("x".into(), 0.5)]),
    };
    let staff = Account {
        manager: Some(Box::new(account(Role::Guest { until: (-1, 2) }))),
        ..account(Role::Member(3))
    };
    let flat = Flat { id: -1, more: BTreeMap::from([("a".into(), Some(true)), ("b".into(), None)]) };
    fn of<V: Serialize + DeserializeOwned + 'static>(value: &V, schema: Option<u32>) -> String {
        let message = wire(Codec::MessagePack).encode(value, &no_scopes(), schema).unwrap();
        let header = Header::parse(&message, &Limits::default()).unwrap();
        format!("{:016x}", header.shape)
    }
    let found = [
        of(&7_u64, None),
        of(&"a".to_owned(), None),
        of(&vec![Some(true), None], None),
        of(&account(Role::Admin), None),
        of(&staff, None),
        of(&staff, Some(3)),
        of(&flat, None),
    ];
    let expected = [
        "152d152d0727c68b",
        "3b033b03e72dcd60",
        "b3bc1db8582c4a01",
        "0ab4f3ca4a3cb9a0",
        "0ab4f503f742c6a8",
        "e736bb97855a51f7",
        "8fe1c239e9f98689",
    ];
    assert_eq!(found, expected);
}
