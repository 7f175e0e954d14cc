use proptest::prelude::*;

use super::*;
use crate::{
    seal::SealKey,
    wire::{Decoded, Header, Wire, tests::envelope},
};

const NAME: &str = "shop:e:user:7";

fn key(byte: u8) -> SealKey {
    SealKey::from([byte; 32])
}

fn keyring() -> Keyring {
    key(7).into()
}

/// A message that holds a text.
fn message(text: &str) -> Vec<u8> {
    Wire::default().encode(&text.to_owned(), &envelope(), None).unwrap()
}

fn opened(keyring: &Keyring, name: &str, sealed: &[u8]) -> Result<Vec<u8>, Rejected> {
    open(keyring, name, sealed.to_vec(), &Limits::default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The example of `docs/wire-format.md`: these bytes never change.
#[test]
fn the_documented_example_is_opened_and_made_again() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wire-format.md"));
    let page = page.expect("the page is in the repository");
    let block = |n| -> Vec<u8> {
        let block = page.split("```hex\n").nth(n).and_then(|rest| rest.split("```").next());
        let lines =
            block.expect("the example").lines().map(|line| line.split('#').next().unwrap_or_default());
        bytes(&lines.collect::<String>().replace(' ', ""))
    };
    let (plain, sealed) = (block(1), block(2));
    let made = seal_with(keyring().keys().writing(), std::array::from_fn(|n| n as u8), NAME, &plain).unwrap();
    assert_eq!(hex(&made), hex(&sealed));
    assert_eq!(opened(&keyring(), NAME, &sealed), Ok(plain));
}

#[test]
fn what_was_sealed_is_opened_under_its_name_alone() {
    let (plain, keyring) = (message("Ada"), keyring());
    let sealed = seal(&keyring, NAME, &plain).unwrap();
    assert_eq!(sealed.len(), plain.len() + OVERHEAD);
    let Decoded { value, envelope: read } =
        Wire::default().decode::<String>(&opened(&keyring, NAME, &sealed).unwrap(), None).unwrap();
    assert_eq!((value.as_str(), read), ("Ada", envelope()));
    for other in ["shop:e:user:8", "shop:e:user:", "shop:e:user:70", "other:e:user:7", "shop:l:user:7", ""] {
        assert_eq!(opened(&keyring, other, &sealed), Err(Rejected::NotAuthentic), "{other}");
    }
    assert_ne!(seal(&keyring, NAME, &plain).unwrap(), sealed, "a nonce of its own each time");
}

#[test]
fn nothing_of_value_type_and_lifetime_is_seen() {
    let plain = message("a secret text");
    let sealed = seal(&keyring(), NAME, &plain).unwrap();
    // The head of both, and the epoch, are the same; all else of the message is seven bytes in a row nowhere.
    for window in plain[24..].windows(7).filter(|window| window.iter().any(|byte| *byte != 0)) {
        assert!(!sealed.windows(7).any(|seen| seen == window), "{window:?}");
    }
}

#[test]
fn every_changed_bit_and_every_other_length_is_rejected() {
    let (keyring, plain) = (keyring(), message("Ada"));
    let mut sealed = seal(&keyring, NAME, &plain).unwrap();
    for bit in 0..8 * sealed.len() {
        sealed[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&keyring, NAME, &sealed).is_err(), "bit {bit}");
        sealed[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..sealed.len() {
        assert!(opened(&keyring, NAME, &sealed[..length]).is_err(), "{length} bytes");
    }
    sealed.push(0);
    assert_eq!(opened(&keyring, NAME, &sealed), Err(Rejected::NotAuthentic));
}

#[test]
fn the_epoch_outside_is_the_one_inside_and_no_other() {
    let (keyring, plain) = (keyring(), message("Ada"));
    let mut sealed = seal(&keyring, NAME, &plain).unwrap();
    assert_eq!(sealed[EPOCH..EPOCH_END], plain[EPOCH..EPOCH_END]);
    for epoch in [0, u64::MAX, envelope().epoch.number() + 1] {
        sealed[EPOCH..EPOCH_END].copy_from_slice(&epoch.to_be_bytes());
        assert_eq!(opened(&keyring, NAME, &sealed), Err(Rejected::NotAuthentic), "{epoch}");
    }
}

#[test]
fn keys_are_changed_without_a_gap_and_dropped() {
    let keyring = Keyring::new(key(1), [key(2)]);
    let sealed = seal(&keyring, NAME, &message("Ada")).unwrap();
    keyring.replace(key(2), [key(1)]);
    assert!(opened(&keyring, NAME, &sealed).is_ok(), "the old key is still read with");
    let newer = seal(&keyring, NAME, &message("Ada")).unwrap();
    assert_ne!(newer[KEY..EPOCH], sealed[KEY..EPOCH], "the new one writes");
    keyring.replace(key(2), []);
    assert_eq!(opened(&keyring, NAME, &sealed), Err(Rejected::UnknownKey));
    assert!(opened(&keyring, NAME, &newer).is_ok());
    assert_eq!(opened(&key(3).into(), NAME, &newer), Err(Rejected::UnknownKey));
}

#[test]
fn what_is_not_sealed_is_rejected() {
    let (keyring, plain) = (keyring(), message("Ada"));
    assert_eq!(opened(&keyring, NAME, &plain), Err(Rejected::Unsealed));
    let mut later = seal(&keyring, NAME, &plain).unwrap();
    later[3] = SEALED + 1;
    assert_eq!(opened(&keyring, NAME, &later), Err(Rejected::Version));
    for foreign in [&b""[..], b"LRD", b"{\"id\":7}"] {
        assert_eq!(opened(&keyring, NAME, foreign), Err(Rejected::Magic));
    }
    assert_eq!(opened(&keyring, NAME, b"LRD\x81 and no more"), Err(Rejected::Truncated));
    let limits = Limits { largest_stored: 100, ..Limits::default() };
    assert_eq!(open(&keyring, NAME, vec![0; 100 + OVERHEAD + 1], &limits), Err(Rejected::TooLarge));
}

#[test]
fn without_keys_what_is_sealed_is_a_miss() {
    let sealed = seal(&keyring(), NAME, &message("Ada")).unwrap();
    assert_eq!(Header::parse(&sealed, &Limits::default()), Err(Rejected::Sealed));
    assert_eq!(Header::parse(&sealed[..4], &Limits::default()), Err(Rejected::Sealed));
}

#[test]
fn no_key_is_printed() {
    let builder =
        crate::RedisCache::builder().seal(Keyring::new(key(0xab), [key(0xcd)])).hash_keys(key(0xef));
    let shown = format!("{builder:?} {:?} {:?}", keyring(), key(0xab));
    for secret in ["171", "205", "239", "abab", "cdcd", "efef"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn no_bit_of_any_entry_can_be_changed(text: String, name in "[ -~]{0,40}", bit: prop::sample::Index) {
        let (keyring, plain) = (keyring(), message(&text));
        let mut sealed = seal(&keyring, &name, &plain).unwrap();
        prop_assert_eq!(opened(&keyring, &name, &sealed), Ok(plain));
        let bit = bit.index(8 * sealed.len());
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(opened(&keyring, &name, &sealed).is_err());
    }
}
