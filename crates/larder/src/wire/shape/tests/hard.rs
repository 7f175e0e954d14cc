//! Types that do not take what they are given, and types that never end.

use super::*;

/// As uuid, chrono, url and others do it: with a visitor that parses.
struct Parsed<const LENGTH: usize>;

impl<'de, const LENGTH: usize> Deserialize<'de> for Parsed<LENGTH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const LENGTH: usize>;
        impl<const LENGTH: usize> serde::de::Visitor<'_> for Visitor<LENGTH> {
            type Value = Parsed<LENGTH>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text of a certain length")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.len() == LENGTH { Ok(Parsed) } else { Err(E::custom("wrong length")) }
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// As `#[serde(try_from = "String")]` does it.
struct Converted<const LENGTH: usize>;

impl<'de, const LENGTH: usize> Deserialize<'de> for Converted<LENGTH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() == LENGTH { Ok(Self) } else { Err(D::Error::custom("wrong length")) }
    }
}

const UUID: usize = 36;
const TIME: usize = 20;
const UNHEARD_OF: usize = 1000;

#[test]
fn usual_texts_are_tried() {
    assert!(shape::<Parsed<UUID>>().is_whole());
    assert!(shape::<Converted<UUID>>().is_whole());
    assert!(shape::<(Parsed<TIME>, Vec<Converted<UUID>>, Option<Parsed<UUID>>)>().is_whole());

    macro_rules! row {
        ($last:ty) => {
            shape_of! {
                Row,
                struct Row { id: Parsed<UUID>, at: Converted<TIME>, ids: Vec<Parsed<UUID>>, kind: Kind, last: $last }
                enum Kind { A(Parsed<TIME>), B { id: Converted<UUID>, n: u8 } }
            }
        };
    }
    assert_eq!(row!(u8), row!(u8));
    assert_ne!(row!(u8), row!(u16));
}

#[test]
fn beside_what_is_refused_everything_is_seen() {
    assert!(!shape::<Parsed<UNHEARD_OF>>().is_whole());
    macro_rules! row {
        ($before:ty, $inner:ty, $after:ty) => {
            shape_of! {
                Row,
                struct Row { before: $before, inner: Inner, after: $after, last: Last }
                struct Inner { id: Parsed<UNHEARD_OF>, n: $inner }
                enum Last { A, B(u8), C }
            }
        };
    }
    let original = row!(u8, u8, u8);
    assert_eq!(original, row!(u8, u8, u8));
    assert_ne!(original, row!(u16, u8, u8));
    assert_ne!(original, row!(u8, u16, u8));
    assert_ne!(original, row!(u8, u8, u16));
}

#[test]
fn what_is_refused_is_known_by_the_types_name() {
    assert_ne!(of::<Parsed<UNHEARD_OF>>(), of::<Converted<UNHEARD_OF>>());
    assert_ne!(of::<Option<Parsed<999>>>(), of::<Option<Parsed<998>>>());
    assert!(!shape::<Vec<Parsed<999>>>().is_whole());
}

#[test]
fn a_type_that_never_ends_does_not_keep_us() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct Endless(Box<Endless>);
    #[derive(Deserialize)]
    enum Nothing {}
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct OfNothing {
        nothing: Option<Nothing>,
        n: u8,
    }
    assert!(!shape::<Endless>().is_whole());
    assert!(!shape::<Nothing>().is_whole());
    assert!(!shape::<OfNothing>().is_whole());
}

#[test]
fn a_type_that_panics_is_known_by_its_name() {
    struct Panics;
    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let divisor = u8::deserialize(deserializer)?;
            assert_ne!(divisor, 0, "part of the test");
            Ok(Self)
        }
    }
    assert!(!shape::<Panics>().is_whole());
}

#[test]
fn a_monstrous_type_takes_bounded_time() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    enum Wide<T> {
        A(Option<Box<T>>, u8),
        B { x: Box<T>, y: Option<Box<T>>, z: Vec<T> },
        C([Box<T>; 4]),
        D(Result<Box<T>, u8>, Result<u8, Box<T>>),
        E(HashMap<String, T>),
    }
    type Monster = Wide<Wide<Wide<Wide<Wide<Wide<Wide<Wide<Wide<Wide<u8>>>>>>>>>>;
    let begin = std::time::Instant::now();
    let _ = shape::<(Monster, [Vec<Monster>; 32], [Vec<[[u64; 32]; 32]>; 32])>();
    // A generous multiple of what it takes.
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn shared_pointers_are_what_they_point_to() {
    // Their own impls need a feature of serde that is not ours to switch on.
    fn shared<'de, D: Deserializer<'de>, P: From<u8>>(deserializer: D) -> Result<P, D::Error> {
        u8::deserialize(deserializer).map(P::from)
    }
    let plain = shape_of! { S, struct S { a: u8 } };
    assert_eq!(plain, shape_of! { S, struct S { #[serde(deserialize_with = "shared")] a: Arc<u8> } });
    assert_eq!(plain, shape_of! { S, struct S { #[serde(deserialize_with = "shared")] a: Rc<u8> } });
}
