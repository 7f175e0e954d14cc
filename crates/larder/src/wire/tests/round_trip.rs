//! What is written is what is read.

use proptest::{collection, option, prelude::*};

use super::*;

fn state() -> impl Strategy<Value = State> {
    let leaf = prop_oneof![
        Just(State::Empty),
        ".*".prop_map(State::One),
        (any::<u8>(), option::of(any::<u8>())).prop_map(|(a, b)| State::Two(a, b)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        (any::<i32>(), collection::vec(inner, 0..4)).prop_map(|(from, to)| State::Named { from, to })
    })
}

fn any_rich() -> impl Strategy<Value = Rich> {
    let float = any::<f64>().prop_filter("not in JSON", |float| float.is_finite());
    let small = any::<f32>().prop_filter("not in JSON", |float| float.is_finite());
    let leaf = (
        any::<(u8, i16, u32, i64, u128, i128)>(),
        (float, small, ".*", any::<char>()),
        collection::vec(any::<u8>(), 0..600),
        collection::vec(state(), 0..5),
        collection::hash_map(".*", option::of(any::<i32>()), 0..5),
        collection::btree_map(any::<u16>(), (any::<bool>(), Just(())), 0..5),
        (any::<u64>(), "[a-z]{0,300}").prop_map(|(id, name)| User { id, name }),
    )
        .prop_map(|(numbers, (float, small, text, letter), bytes, states, by_name, by_number, user)| Rich {
            numbers,
            float,
            small,
            text,
            letter,
            bytes,
            maybe: None,
            states,
            by_name,
            by_number,
            user,
        });
    leaf.prop_recursive(3, 4, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, maybe)| Rich { maybe: Some(Box::new(maybe)), ..outer })
    })
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let millis = || any::<u64>().prop_map(Duration::from_millis);
    let times = (any::<u64>(), millis(), millis(), millis(), millis()).prop_map(
        |(created, prompt, fresh, revalidate, on_error)| Times {
            created,
            prompt: prompt.min(fresh),
            fresh,
            revalidate,
            on_error,
        },
    );
    (any::<u64>(), times, collection::vec(any::<u64>(), 0..=200)).prop_map(|(epoch, times, scopes)| {
        Envelope {
            epoch: Epoch::from_number(epoch),
            times,
            scopes: scopes.into_iter().map(ScopeHash::from_number).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn of_rich_values(value in any_rich(), envelope in any_envelope(), schema in option::of(any::<u32>())) {
        for wire in wires() {
            let message = wire.encode(&value, &envelope, schema).unwrap();
            let decoded: Decoded<Rich> = Wire::default().decode(&message, schema).unwrap();
            prop_assert_eq!(&decoded.value, &value);
            prop_assert_eq!(&decoded.envelope, &envelope);
        }
    }

    #[test]
    fn of_floats(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        for wire in wires().filter(|wire| !is(wire, Codec::Json) || float.is_finite()) {
            let message = wire.encode(&float, &no_scopes(), None).unwrap();
            let decoded: Decoded<f64> = wire.decode(&message, None).unwrap();
            prop_assert_eq!(decoded.value.to_bits(), bits);
        }
    }
}

#[test]
fn of_a_rich_value() {
    for wire in wires() {
        let message = wire.encode(&rich(), &envelope(), None).unwrap();
        assert_eq!(
            wire.decode(&message, None),
            Ok(Decoded { value: rich(), envelope: envelope() }),
            "{wire:?}"
        );
    }
}

/// `kept!(wires; values)`: each of them comes back, by each of these.
macro_rules! kept {
    ($wires:expr; $($value:expr),+ $(,)?) => {
        for wire in $wires {
            $(
                let value = $value;
                let message = wire.encode(&value, &envelope(), None).unwrap();
                let decoded = wire.decode(&message, None);
                assert_eq!(decoded, Ok(Decoded { value, envelope: envelope() }), "{wire:?}");
            )+
        }
    };
}

#[test]
fn of_every_kind() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(i8);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(u8, Vec<Unit>);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Empty {}

    kept! { wires();
        (), Unit, Empty {}, Newtype(-1), Pair(0, vec![Unit, Unit]), [Newtype(1), Newtype(2)], [0_u16; 32],
        (u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX), (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN),
        (f32::MAX, f64::MIN_POSITIVE, -0.0_f64), ('\0', char::MAX), (true, false), String::new(), "ü".repeat(3_000),
        Some(1_u8), None::<u8>, Some(vec![None, Some(Box::new(1_u8))]), vec![vec![(); 3]; 2],
        Ok::<u8, String>(1), Err::<u8, String>("no".into()), std::ffi::CString::new([1, 255]).unwrap(),
        BTreeMap::from([(-1_i8, 'a'), (1, 'b')]), HashMap::from([(State::Empty, 1)]),
        std::collections::BTreeSet::from([1_u8, 2]), std::collections::HashSet::from(["a".to_owned()]),
        (Duration::new(1, 999_999_999), std::time::SystemTime::UNIX_EPOCH + Duration::from_nanos(1)),
        (std::net::IpAddr::from([127, 0, 0, 1]), std::net::SocketAddr::from(([0_u16; 8], 80))),
        (std::num::NonZeroU8::MIN, std::ops::Range { start: 1, end: 2 }, std::path::PathBuf::from("/")),
        std::borrow::Cow::<'static, str>::Borrowed("text"),
    }
    kept! { wires().filter(|wire| !is(wire, Codec::Json));
        f64::INFINITY, f32::NEG_INFINITY, Some(f64::NEG_INFINITY),
        BTreeMap::from([((1_u8, 2_u8), 3)]), BTreeMap::from([(vec![Some(1)], ())]),
        HashMap::from([(State::Two(1, Some(2)), State::Named { from: 0, to: vec![State::One("x".into())] })]),
    }
    kept! { wires().filter(|wire| is(wire, Codec::Bincode) || is(wire, Codec::Postcard)); Some(None::<u8>), Some(Some(())), Some(Unit) }
}

/// JSON writes `null` for it, which is no number.
#[test]
fn of_what_is_no_number_in_json() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = wire(Codec::Json).encode(&float, &envelope(), None);
        assert!(matches!(refused, Err(Unencodable::Unreadable { .. })), "{refused:?}");
    }
}

#[test]
fn large_values_are_compressed_if_that_saves_space() {
    let repetitive = "a".repeat(100_000);
    let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(1..)).take(20_000).collect();
    // Serializes as bytes.
    let random = std::ffi::CString::new(random).unwrap();
    let short = "a".repeat(1000);
    for wire in wires().filter(|wire| wire.compression != Compression::None && !is(wire, Codec::Json)) {
        let compression = |message: &[u8]| Header::parse(message, &Limits::default()).unwrap().compression;

        let message = wire.encode(&repetitive, &envelope(), None).unwrap();
        assert!(message.len() < 1_000 && compression(&message) != Compression::None);
        assert_eq!(wire.decode::<String>(&message, None).unwrap().value, repetitive);

        let message = wire.encode(&random, &envelope(), None).unwrap();
        assert_eq!(compression(&message), Compression::None);
        assert_eq!(wire.decode::<std::ffi::CString>(&message, None).unwrap().value, random);

        let message = wire.encode(&short, &envelope(), None).unwrap();
        assert_eq!(compression(&message), Compression::None);
    }
}

#[test]
fn common_serde_attributes_survive_the_default_codec() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { x: u8 },
        B { inner: User },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u64),
        Text(String),
        User(User),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Attributes {
        #[serde(rename = "n")]
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        none: Option<u8>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        empty: Vec<u8>,
        #[serde(flatten)]
        user: Flat,
        tagged: Vec<Tagged>,
        untagged: Vec<Untagged>,
        any: serde_json::Value,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: u64,
        tags: Vec<String>,
    }
    let value = Attributes {
        name: "x".into(),
        none: None,
        empty: Vec::new(),
        user: Flat { id: 1, tags: vec!["a".into()] },
        tagged: vec![Tagged::A { x: 1 }, Tagged::B { inner: ada() }],
        untagged: vec![Untagged::Text("t".into()), Untagged::User(ada()), Untagged::Number(9)],
        any: serde_json::json!({ "a": [1, null, "x"], "b": { "c": -0.5 } }),
    };
    for codec in [Codec::MessagePack, Codec::Json] {
        let message = wire(codec).encode(&value, &envelope(), None).unwrap();
        assert_eq!(wire(codec).decode::<Attributes>(&message, None).unwrap().value, value);
    }
}
