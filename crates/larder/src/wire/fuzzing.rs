//! What the fuzz targets call: what must hold for any bytes and any value, or they panic.

use std::{fmt::Debug, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    AnyCodec, BuiltIn, Compression, Decoded, Envelope, Header, Limits, Times, Unencodable, Wire,
    header::{self, Payload},
    walk::Walk,
};
use crate::{
    epoch::Epoch,
    scope::{Scope, ScopeSet},
};

/// Reads a message as it is, and with its checksums put right: what is accepted is what would be written.
pub fn header(message: &[u8]) {
    check_header(message);
    let mut sealed = message.to_vec();
    if sealed.len() >= header::FIXED {
        header::seal_message(&mut sealed);
        check_header(&sealed);
    }
}

fn check_header(message: &[u8]) {
    let Ok(header) = Header::parse(message, &Limits::default()) else { return };
    let Ok(bytes) = header.payload(message) else { return };
    assert_eq!(header.length() + bytes.len(), message.len());
    let Header { codec, compression, shape, .. } = header;
    let mut again = vec![0; header.length()];
    let payload = Payload { codec, compression, shape, raw: header.raw_length() as u32, bytes };
    header::write(&mut again, &payload, &header.envelope);
    assert_eq!(again, message[..header.length()]);
    drop(Wire::default().decode_payload::<String>(&header, message, None));
}

/// Opens what any program may have written under a name, and what was sealed there but for one bit: nothing is opened.
#[cfg(feature = "seal")]
pub fn sealed(name: &str, message: &[u8], bit: usize) {
    use super::sealed;
    let keyring = crate::seal::Keyring::from(crate::seal::SealKey::from([7; 32]));
    let open =
        |name: &str, message: &[u8]| sealed::open(&keyring, name, message.to_vec(), &Limits::default());
    assert!(open(name, message).is_err());
    if message.len() < header::FIXED {
        return;
    }
    let mut sealed = sealed::seal(&keyring, name, message).expect("it is sealed");
    assert_eq!(open(name, &sealed).as_deref(), Ok(message));
    assert!(open(&format!("{name}."), &sealed).is_err());
    let bit = bit % (8 * sealed.len());
    sealed[bit / 8] ^= 1 << (bit % 8);
    assert!(open(name, &sealed).is_err(), "bit {bit}");
}

/// Reads a payload in a message that is right in all else; `raw` is what it claims to decompress to. What
/// is accepted can be written again, and is then the same.
pub fn decode<V>(codec: u8, compression: Compression, raw: u32, payload: &[u8])
where
    V: Serialize + DeserializeOwned + 'static,
{
    let raw = if compression == Compression::None { payload.len() as u32 } else { raw };
    let shape = Wire::default().fingerprint::<V>(&built_in(codec), payload, None);
    let envelope = envelope();
    let mut message = vec![0; header::length(envelope.scopes.len())];
    header::write(&mut message, &Payload { codec, compression, shape, raw, bytes: payload }, &envelope);
    message.extend_from_slice(payload);
    if let Ok(decoded) = Wire::default().decode::<V>(&message, None) {
        round_trip(codec, compression, &decoded.value);
    }
}

/// Writes a value and reads it back: it is the same, or was not written at all.
pub fn round_trip<V>(codec: u8, compression: Compression, value: &V)
where
    V: Serialize + DeserializeOwned + 'static,
{
    let wire = Wire { codecs: built_in(codec).into(), compression, ..Wire::default() };
    let envelope = envelope();
    match wire.encode(value, &envelope, Some(1)) {
        Ok(message) => match Wire::default().decode::<V>(&message, Some(1)) {
            Ok(Decoded { value: back, envelope: read }) => {
                let digest = |value: &V| {
                    Walk::new(wire.codec().is_human_readable(), Limits::DEEPEST, usize::MAX).digest(value)
                };
                assert_eq!(digest(value), digest(&back), "another value came back");
                assert_eq!(read, envelope);
            }
            Err(reason) => panic!("what was written cannot be read: {reason}"),
        },
        Err(reason) => assert!(!matches!(reason, Unencodable::TooManyScopes { .. }), "{reason}"),
    }
}

/// Writes a value and reads it back, where nothing but the rules for types that nothing compares decides: if it was
/// written at all, it is the same to its `Debug`.
pub fn faithful<V>(codec: u8, value: &V)
where
    V: Serialize + DeserializeOwned + Debug + 'static,
{
    let wire = Wire { codecs: built_in(codec).into(), compression: Compression::None, ..Wire::default() };
    if let Ok(message) = wire.encode(value, &envelope(), None) {
        let back: Decoded<V> = wire.decode(&message, None).expect("what was written can be read");
        assert_eq!(format!("{value:?}"), format!("{:?}", back.value), "another value came back");
    }
}

/// Writes a value in one build, and reads it in another one, in which the type has changed: if it is taken for a
/// value of that build's type, it says of itself what it said before.
pub fn builds<Old, New>(codec: u8, value: &Old)
where
    Old: Serialize + DeserializeOwned + Debug + 'static,
    New: Serialize + DeserializeOwned + Debug + 'static,
{
    let wire = Wire { codecs: built_in(codec).into(), compression: Compression::None, ..Wire::default() };
    let Ok(message) = wire.encode(value, &envelope(), None) else { return };
    if let Ok(read) = wire.decode::<New>(&message, None) {
        let walk = || Walk::for_fingerprint(wire.codec().is_human_readable(), Limits::DEEPEST);
        let read = read.value;
        assert_eq!(walk().digest(value), walk().digest(&read), "{value:?} was read as {read:?}");
    }
}

/// The codec of larder's that has this number.
fn built_in(number: u8) -> AnyCodec {
    BuiltIn::from_number(number).expect("it is one of larder's").into()
}

fn envelope() -> Envelope {
    let second = Duration::from_secs(1);
    Envelope {
        epoch: Epoch::from_number(7),
        times: Times { created: 1, prompt: second, fresh: second, revalidate: second, on_error: second },
        scopes: ScopeSet::from_iter([Scope::key("a").hash()]),
    }
}
