//! Bounds on what is written and read.

use super::*;

fn limited(largest_stored: usize, largest_raw: usize) -> Wire {
    let limits = Limits { largest_stored, largest_raw, ..Limits::default() };
    Wire { codecs: Codec::MessagePack.into(), compression: Compression::Lz4, limits }
}

#[test]
fn a_large_value_is_not_written() {
    let text = "a".repeat(10_000);
    assert!(limited(1_000, 20_000).encode(&text, &envelope(), None).is_ok());
    for (largest_stored, largest_raw, exceeded) in [(1_000, 9_000, 9_000), (100, 20_000, 100)] {
        let outcome = limited(largest_stored, largest_raw).encode(&text, &envelope(), None);
        assert!(matches!(outcome, Err(Unencodable::TooLarge { limit }) if limit == exceeded), "{outcome:?}");
    }
}

#[test]
fn a_large_message_is_not_read() {
    let text = "a".repeat(10_000);
    let message = limited(1_000, 20_000).encode(&text, &envelope(), None).unwrap();
    let decode = |wire: Wire| wire.decode::<String>(&message, None).map(|decoded| decoded.value);
    assert_eq!(decode(limited(message.len(), 10_003)), Ok(text));
    assert_eq!(decode(limited(message.len() - 1, 10_003)), Err(Rejected::TooLarge));
    assert_eq!(decode(limited(message.len(), 10_002)), Err(Rejected::TooLarge));
}

/// What takes few bytes for each of its parts is not taken for an attack.
#[test]
fn many_small_parts_are_read() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Inner {
        unit: (),
        number: (u8, [(); 4]),
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Outer {
        first: Inner,
        second: (Inner, ()),
    }
    let inner = Inner { unit: (), number: (1, [(); 4]) };
    let outer = Outer { first: inner.clone(), second: (inner, ()) };
    let value = (vec![Vec::<u8>::new(); 200_000], vec![outer; 50_000]);
    for wire in wires().filter(|wire| wire.compression == Compression::None) {
        let message = wire.encode(&value, &envelope(), None).unwrap();
        let decoded: Decoded<(Vec<Vec<u8>>, Vec<Outer>)> = wire.decode(&message, None).unwrap();
        assert!(decoded.value == value, "{wire:?}");
    }
}

#[test]
fn more_scopes_than_fit_are_not_written() {
    let mut wide = envelope();
    wide.scopes = (0..scope::MOST as u64).map(ScopeHash::from_number).collect();
    let message = Wire::default().encode(&1_u8, &wide, None).unwrap();
    assert_eq!(Wire::default().decode::<u8>(&message, None).unwrap().envelope, wide);
    wide.scopes.extend([ScopeHash::ALL]);
    let outcome = Wire::default().encode(&1_u8, &wide, None);
    assert!(matches!(outcome, Err(Unencodable::TooManyScopes { count: 4_097 })), "{outcome:?}");
}

#[test]
fn a_value_that_does_not_serialize_is_an_error() {
    let by_pair = HashMap::from([((1, 2), 3)]);
    let outcome =
        wire(Codec::Json).encode(&by_pair.into_iter().collect::<BTreeMap<(u8, u8), u8>>(), &envelope(), None);
    assert!(matches!(outcome, Err(Unencodable::Codec { codec: "JSON", .. })), "{outcome:?}");
}
