use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{codec::BuiltIn as Codec, *};
use crate::{
    epoch::Epoch,
    scope::{self, Scope, ScopeHash, ScopeSet},
};

mod attributes;
mod evolution;
mod faithful;
mod golden;
mod harm;
mod hostile;
mod limits;
mod panics_and_depth;
mod round_trip;
#[cfg(feature = "inspect")]
mod untyped;
mod user_codecs;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) name: String,
}

pub(super) fn ada() -> User {
    User { id: 7, name: "Ada".into() }
}

/// Some of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rich {
    pub(super) numbers: (u8, i16, u32, i64, u128, i128),
    pub(super) float: f64,
    pub(super) small: f32,
    pub(super) text: String,
    pub(super) letter: char,
    pub(super) bytes: Vec<u8>,
    pub(super) maybe: Option<Box<Rich>>,
    pub(super) states: Vec<State>,
    pub(super) by_name: HashMap<String, Option<i32>>,
    pub(super) by_number: BTreeMap<u16, (bool, ())>,
    pub(super) user: User,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum State {
    Empty,
    One(String),
    Two(u8, Option<u8>),
    Named { from: i32, to: Vec<State> },
}

pub(super) fn rich() -> Rich {
    Rich {
        numbers: (1, -300, 70_000, i64::MIN, u128::MAX, i128::MIN),
        float: 0.1 + 0.2,
        small: f32::MIN_POSITIVE,
        text: "ключ ☃ \" \\".into(),
        letter: '☃',
        bytes: vec![0, 127, 128, 255],
        maybe: None,
        states: vec![
            State::Empty,
            State::Two(1, None),
            State::Named { from: -1, to: vec![State::One("x".into())] },
        ],
        by_name: HashMap::from([("a".into(), None), ("b".into(), Some(1))]),
        by_number: BTreeMap::from([(1, (true, ())), (500, (false, ()))]),
        user: ada(),
    }
}

pub(super) fn envelope() -> Envelope {
    Envelope {
        epoch: Epoch::from_number((1_700_000_000_000 << 22) | 3),
        times: Times {
            created: 1_700_000_000_500,
            prompt: Duration::from_secs(240),
            fresh: Duration::from_secs(300),
            revalidate: Duration::from_secs(30),
            on_error: Duration::from_secs(600),
        },
        scopes: [Scope::key("user:7").hash(), Scope::prefix("user").hash()].into_iter().collect(),
    }
}

pub(super) const CODECS: [Codec; 4] = Codec::ALL;
/// Those that write the names of fields.
pub(super) const TEXTS: [Codec; 2] = [Codec::MessagePack, Codec::Json];
pub(super) const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

/// All that this build can write.
pub(super) fn wires() -> impl Iterator<Item = Wire> {
    let codecs = CODECS.into_iter().filter(|codec| codec.is_available());
    codecs.flat_map(|codec| {
        let compressions = COMPRESSIONS.into_iter().filter(|compression| compression.is_available());
        compressions.map(move |compression| Wire { codecs: codec.into(), compression, ..Wire::default() })
    })
}

pub(super) fn is(wire: &Wire, codec: Codec) -> bool {
    wire.codec().number() == codec.number()
}

pub(super) fn wire(codec: impl Into<AnyCodec>) -> Wire {
    Wire { codecs: codec.into().into(), compression: Compression::None, ..Wire::default() }
}

/// A message of a `V` with this payload.
pub(super) fn message<V>(codec: Codec, payload: &[u8]) -> Vec<u8>
where
    V: Serialize + DeserializeOwned + 'static,
{
    let shape = Wire::default().fingerprint::<V>(&codec.into(), payload, None);
    packed(codec, Compression::None, shape, payload.len() as u32, payload)
}

pub(super) fn packed(
    codec: Codec,
    compression: Compression,
    shape: u64,
    raw: u32,
    payload: &[u8],
) -> Vec<u8> {
    let envelope = envelope();
    let mut message = vec![0; header::length(envelope.scopes.len())];
    header::write(
        &mut message,
        &header::Payload { codec: codec.number(), compression, shape, raw, bytes: payload },
        &envelope,
    );
    message.extend_from_slice(payload);
    message
}

#[test]
fn a_reader_rebuilds_the_phases() {
    let times = envelope().times;
    let seconds = Duration::from_secs;
    let left = Remaining {
        age: seconds(250),
        prompt: Duration::ZERO,
        fresh: seconds(50),
        revalidate: seconds(80),
        on_error: seconds(650),
    };
    assert_eq!(times.remaining(times.created + 250_000), left);
    assert_eq!(times.remaining(u64::MAX).on_error, Duration::ZERO);
}

#[test]
fn a_clock_that_is_behind_makes_no_lifetime_longer() {
    let times = envelope().times;
    let left = times.remaining(times.created - 1_000_000);
    assert_eq!((left.prompt, left.fresh), (times.prompt, times.fresh));
    let endless = Times { fresh: Duration::MAX, revalidate: Duration::MAX, ..times };
    assert_eq!(endless.remaining(0).revalidate, Duration::MAX);
}

#[test]
fn the_header_is_read_without_the_value() {
    let message = Wire::default().encode(&ada(), &envelope(), None).unwrap();
    let header = Header::parse(&message, &Limits::default()).unwrap();
    assert_eq!(header.envelope, envelope());
    assert_eq!((header.codec, header.compression), (Codec::MessagePack.number(), Compression::None));
    assert_eq!(header.length() + header.raw_length(), message.len());
    assert_eq!(Wire::default().decode_payload::<User>(&header, &message, None), Ok(ada()));
}

#[test]
fn a_header_meets_no_other_message() {
    let (one, other) = (ada(), User { id: 8, ..ada() });
    let [one, other] = [one, other].map(|user| Wire::default().encode(&user, &envelope(), None).unwrap());
    let header = Header::parse(&one, &Limits::default()).unwrap();
    assert_eq!(Wire::default().decode_payload::<User>(&header, &other, None), Err(Rejected::Checksum));
    assert_eq!(Wire::default().decode_payload::<User>(&header, &[], None), Err(Rejected::Truncated));
}

#[test]
fn another_shape_is_rejected() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Renamed {
        id: u64,
        label: String,
    }
    for wire in wires() {
        let message = wire.encode(&ada(), &envelope(), Some(1)).unwrap();
        assert!(wire.decode::<User>(&message, Some(1)).is_ok());
        assert_eq!(wire.decode::<User>(&message, Some(2)), Err(Rejected::Shape));
        assert_eq!(wire.decode::<User>(&message, None), Err(Rejected::Shape));
        assert_eq!(wire.decode::<Renamed>(&message, Some(1)), Err(Rejected::Shape));
    }
}

#[test]
fn durations_are_whole_milliseconds_and_never_longer() {
    let mut odd = envelope();
    odd.times.fresh = Duration::from_micros(1_999);
    odd.times.prompt = Duration::MAX;
    let message = Wire::default().encode(&1_u8, &odd, None).unwrap();
    let times = Wire::default().decode::<u8>(&message, None).unwrap().envelope.times;
    assert_eq!((times.prompt, times.fresh), (Duration::from_millis(1), Duration::from_millis(1)));
}

#[test]
fn reasons_have_names_of_their_own() {
    let names: std::collections::HashSet<_> = Rejected::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Rejected::ALL.len());
}

#[cfg(not(feature = "bincode"))]
#[test]
fn without_its_feature_a_codec_is_neither_written_nor_read() {
    let wire = wire(Codec::Bincode);
    let outcome = wire.encode(&1_u8, &envelope(), None);
    assert!(matches!(outcome, Err(Unencodable::Codec { codec: "bincode", .. })), "{outcome:?}");
    assert_eq!(wire.decode::<u8>(&message::<u8>(Codec::Bincode, &[1]), None), Err(Rejected::Codec(3)));
}

#[cfg(not(feature = "zstd"))]
#[test]
fn without_its_feature_a_compression_is_neither_written_nor_read() {
    let wire = Wire { compression: Compression::Zstd, ..Wire::default() };
    let long = "a".repeat(5000);
    let outcome = wire.encode(&long, &envelope(), None);
    assert!(matches!(outcome, Err(Unencodable::Codec { codec: "Zstandard", .. })), "{outcome:?}");
    let message = packed(Codec::Json, Compression::Zstd, 0, 10, &[0; 10]);
    assert_eq!(wire.decode::<u8>(&message, None), Err(Rejected::Compression));
}

pub(super) fn no_scopes() -> Envelope {
    Envelope { scopes: ScopeSet::default(), ..envelope() }
}

/// This codec would give another value back, and so nothing is written.
pub(super) fn refused<V>(codec: impl Into<AnyCodec>, value: &V)
where
    V: Serialize + DeserializeOwned + 'static,
{
    let codec = codec.into();
    match wire(codec.clone()).encode(value, &envelope(), None) {
        Err(
            Unencodable::Changed { .. }
            | Unencodable::Unreadable { .. }
            | Unencodable::OneSided { .. }
            | Unencodable::Codec { .. },
        ) => {}
        other => panic!("{codec:?}: {other:?}"),
    }
}

/// This codec gives the value back.
pub(super) fn kept<V>(codec: impl Into<AnyCodec>, value: &V)
where
    V: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    let wire = wire(codec);
    let message = wire.encode(value, &envelope(), None).unwrap();
    assert_eq!(&wire.decode::<V>(&message, None).unwrap().value, value);
}
