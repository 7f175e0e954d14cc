use proptest::prelude::*;

use super::{record::Content, *};

/// As in `docs/invalidation-log.md`.
#[test]
fn golden() {
    let scopes = vec![Scope::key("user:7").hash(), Scope::all().hash()];
    let invalidation = Content::Invalidation { sender: 0x0102_0304_0506_0708, attempt: 9, scopes };
    let wake = Content::Wake { key: Scope::key("user:7").hash(), filled: true };
    for (content, expected) in [
        (invalidation, "0100 0102030405060708 0000000000000009 4ca53c42388cf7d6 ffffffffffffffff"),
        (wake, "0101 4ca53c42388cf7d6 01"),
        (Content::Start { sender: 0x0102_0304_0506_0708 }, "0102 0102030405060708"),
        (Content::reset(), "0100 0000000000000000 0000000000000000 ffffffffffffffff"),
    ] {
        let bytes = content.encode();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, expected.replace(' ', ""));
        assert_eq!(Content::decode(&bytes), Some(content));
    }
}

#[test]
fn what_is_no_record_is_none() {
    let whole = Content::reset().encode();
    let wake = Content::Wake { key: ScopeHash::ALL, filled: false }.encode();
    let start = Content::Start { sender: 1 }.encode();
    for bytes in [&whole, &wake, &start] {
        for length in 0..bytes.len() {
            assert_eq!(Content::decode(&bytes[..length]), None);
        }
        assert_eq!(Content::decode(&[bytes.as_slice(), &[0]].concat()), None);
        for (at, value) in [(0, 0), (0, 2), (1, 3)] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            assert_eq!(Content::decode(&bytes), None);
        }
    }
    assert_eq!(Content::decode(&[&wake[..10], &[2]].concat()), None, "neither filled nor not");
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0..4_u8) {
        let bytes = [&[1, kind], bytes.as_slice()].concat();
        if let Some(content) = Content::decode(&bytes) {
            prop_assert_eq!(content.encode(), bytes);
        }
    }
}
