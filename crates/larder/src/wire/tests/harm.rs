//! Messages that were cut off or changed on their way.

use super::*;

/// Of every codec and compression; long enough to be compressed.
fn messages() -> impl Iterator<Item = (Wire, Vec<u8>)> {
    let value = vec![rich(); 8];
    wires().map(move |wire| {
        let message = wire.encode(&value, &envelope(), None).unwrap();
        (wire, message)
    })
}

#[test]
fn every_truncation_is_rejected() {
    for (wire, message) in messages() {
        for length in 0..message.len() {
            assert_eq!(
                wire.decode::<Vec<Rich>>(&message[..length], None),
                Err(Rejected::Truncated),
                "{wire:?}, {length} bytes"
            );
        }
    }
}

#[test]
fn every_changed_byte_is_rejected() {
    for (wire, mut message) in messages() {
        for at in 0..message.len() {
            for change in [1, 0x80, 0xFF] {
                message[at] ^= change;
                let outcome = wire.decode::<Vec<Rich>>(&message, None);
                assert!(outcome.is_err(), "{wire:?}, byte {at} ^ {change}: {outcome:?}");
                message[at] ^= change;
            }
        }
    }
}

/// The same with checksums put right: anything may be read, but nothing may happen.
#[test]
fn changes_with_right_checksums_do_no_harm() {
    for (wire, original) in messages() {
        for at in (8..original.len()).step_by(if original.len() > 2000 { 3 } else { 1 }) {
            for change in [1, 0x80, 0xFF] {
                let mut message = original.clone();
                message[at] ^= change;
                header::seal_message(&mut message);
                drop(wire.decode::<Vec<Rich>>(&message, None));
            }
        }
    }
}

#[test]
fn what_follows_is_rejected() {
    for (wire, mut message) in messages() {
        message.push(0);
        assert_eq!(wire.decode::<Vec<Rich>>(&message, None), Err(Rejected::Trailing));
    }
}

#[test]
fn what_follows_the_value_is_rejected() {
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        for value in [vec![], vec![ada()]] {
            let mut payload = Vec::new();
            codec.encode(&value, &mut payload).unwrap();
            let exact = message::<Vec<User>>(codec, &payload);
            assert_eq!(wire(codec).decode::<Vec<User>>(&exact, None).unwrap().value, value);
            for more in [&b"\xC0"[..], b"1", b"\x91", b"\0\0"] {
                let longer = [&payload, more].concat();
                let outcome = wire(codec).decode::<Vec<User>>(&message::<Vec<User>>(codec, &longer), None);
                assert_eq!(outcome, Err(Rejected::Trailing), "{codec:?} {more:?}");
            }
        }
    }
}

#[test]
fn what_is_no_message_is_rejected() {
    let wire = Wire::default();
    let foreign: [&[u8]; 5] = [b"", b"LRD", b"{}", b"LRX", &[0; 200]];
    let expected =
        [Rejected::Truncated, Rejected::Truncated, Rejected::Magic, Rejected::Magic, Rejected::Magic];
    assert_eq!(foreign.map(|message| wire.decode::<u8>(message, None).unwrap_err()), expected);

    let mut later = wire.encode(&1_u8, &envelope(), None).unwrap();
    later[3] = 2;
    assert_eq!(wire.decode::<u8>(&later, None), Err(Rejected::Version));
    assert_eq!(wire.decode::<u8>(b"LRD\x02", None), Err(Rejected::Version));
}
