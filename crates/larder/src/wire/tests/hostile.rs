//! Messages that are made to do harm.

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    More(Box<Chain>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct List(Vec<List>);

/// Serializes as nothing but `null`, and one byte that is no `null` is an endless one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hollow(Option<Box<Hollow>>);

fn decode<V>(codec: Codec, payload: &[u8]) -> Result<V, Rejected>
where
    V: Serialize + DeserializeOwned + 'static,
{
    wire(codec).decode(&message::<V>(codec, payload), None).map(|decoded| decoded.value)
}

/// On a thread with half of the stack that tokio gives to its own.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(test).unwrap().join().unwrap();
}

#[test]
fn nesting_without_end_is_rejected() {
    const DEEP: usize = 1_000_000;
    on_a_small_stack(|| {
        let enums = [b"\x81\xA4More".repeat(DEEP), b"\xA3End".to_vec()].concat();
        assert_eq!(decode::<Chain>(Codec::MessagePack, &enums), Err(Rejected::TooDeep));
        assert_eq!(decode::<List>(Codec::MessagePack, &b"\x91".repeat(DEEP)), Err(Rejected::TooDeep));
        assert_eq!(decode::<Hollow>(Codec::MessagePack, b"\x01"), Err(Rejected::TooDeep));
        assert_eq!(
            decode::<serde_json::Value>(Codec::MessagePack, &b"\x91".repeat(DEEP)),
            Err(Rejected::TooDeep)
        );
        // What is ignored is read all the same.
        let unknown = [b"\x83\xA1x".to_vec(), b"\x91".repeat(DEEP)].concat();
        assert_eq!(decode::<User>(Codec::MessagePack, &unknown), Err(Rejected::TooDeep));

        assert_eq!(decode::<Hollow>(Codec::Json, b"1"), Err(Rejected::TooDeep));
        let enums = br#"{"More":"#.repeat(DEEP);
        assert!(decode::<Chain>(Codec::Json, &enums).is_err());
        assert!(decode::<List>(Codec::Json, &b"[".repeat(DEEP)).is_err());
        assert!(decode::<serde_json::Value>(Codec::Json, &b"[".repeat(DEEP)).is_err());

        for codec in [Codec::Bincode, Codec::Postcard].into_iter().filter(|codec| codec.is_available()) {
            assert_eq!(decode::<Chain>(codec, &b"\x01".repeat(DEEP)), Err(Rejected::TooDeep));
            assert_eq!(decode::<List>(codec, &b"\x01".repeat(DEEP)), Err(Rejected::TooDeep));
            assert_eq!(decode::<Hollow>(codec, &b"\x01".repeat(DEEP)), Err(Rejected::TooDeep));
        }
    });
}

#[test]
fn nesting_up_to_the_limit_fits_the_stack() {
    /// With fields, so that it takes more stack than most.
    #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
    struct Node {
        name: String,
        values: Vec<(u64, String)>,
        text: [Option<String>; 8],
        next: Option<Box<Node>>,
    }
    on_a_small_stack(|| {
        for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
            let nested = |levels| {
                (0..levels)
                    .fold(Node::default(), |next, _| Node { next: Some(Box::new(next)), ..Node::default() })
            };
            // Two levels each: an option, and the struct in it.
            let message = wire(codec).encode(&nested(60), &envelope(), None).unwrap();
            assert_eq!(wire(codec).decode::<Node>(&message, None).unwrap().value, nested(60));
            let mut payload = Vec::new();
            codec.encode(&nested(65), &mut payload).unwrap();
            assert!(decode::<Node>(codec, &payload).is_err());
        }
    });
}

#[test]
fn lengths_that_are_not_there_are_rejected() {
    for payload in [
        &b"\xDD\xFF\xFF\xFF\xFF"[..],
        b"\xDD\xFF\xFF\xFF\xFF\x01\x01",
        b"\xDF\xFF\xFF\xFF\xFF",
        b"\xDB\xFF\xFF\xFF\xFFabc",
        b"\xC6\xFF\xFF\xFF\xFFabc",
        b"\xC9\xFF\xFF\xFF\xFF\x00abc",
    ] {
        assert_eq!(decode::<Vec<u8>>(Codec::MessagePack, payload), Err(Rejected::Decode));
        assert_eq!(decode::<String>(Codec::MessagePack, payload), Err(Rejected::Decode));
        assert_eq!(decode::<HashMap<String, u64>>(Codec::MessagePack, payload), Err(Rejected::Decode));
        assert_eq!(decode::<serde_json::Value>(Codec::MessagePack, payload), Err(Rejected::Decode));
        assert_eq!(decode::<Rich>(Codec::MessagePack, payload), Err(Rejected::Decode));
    }
}

#[cfg(feature = "bincode")]
#[test]
fn lengths_that_are_not_there_are_rejected_by_bincode() {
    for payload in [
        &b"\xFC\xFF\xFF\xFF\xFF"[..],
        b"\xFC\xFF\xFF\xFF\x0F\x01\x01",
        b"\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7Fabc",
        b"\xFD\x00\x00\x00\x10\x00\x00\x00\x00abc",
    ] {
        assert_eq!(decode::<Vec<u8>>(Codec::Bincode, payload), Err(Rejected::Decode));
        assert_eq!(decode::<String>(Codec::Bincode, payload), Err(Rejected::Decode));
        assert_eq!(decode::<HashMap<String, u64>>(Codec::Bincode, payload), Err(Rejected::Decode));
        assert_eq!(decode::<Rich>(Codec::Bincode, payload), Err(Rejected::Decode));
        // Items of no bytes at all: as many as are claimed would be there.
        assert_eq!(decode::<Vec<()>>(Codec::Bincode, payload), Err(Rejected::Decode));
    }
}

#[cfg(feature = "postcard")]
#[test]
fn lengths_that_are_not_there_are_rejected_by_postcard() {
    for payload in [
        &b"\xFF\xFF\xFF\xFF\x0F"[..],
        b"\xFF\xFF\xFF\xFF\x0F\x01\x01",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7Fabc",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    ] {
        assert_eq!(decode::<Vec<u8>>(Codec::Postcard, payload), Err(Rejected::Decode));
        assert_eq!(decode::<String>(Codec::Postcard, payload), Err(Rejected::Decode));
        assert_eq!(decode::<HashMap<String, u64>>(Codec::Postcard, payload), Err(Rejected::Decode));
        assert_eq!(decode::<Rich>(Codec::Postcard, payload), Err(Rejected::Decode));
        assert_eq!(decode::<Vec<()>>(Codec::Postcard, payload), Err(Rejected::Decode));
    }
}

/// Nor do they get memory: what is there is little, and the most that serde itself reserves is a mebibyte.
#[test]
fn lengths_that_are_not_there_get_no_memory() {
    const MOST: u64 = 64 << 10;
    fn decode_within<V: Serialize + DeserializeOwned + 'static>(codec: Codec, payload: &[u8]) {
        let message = message::<V>(codec, payload);
        let mut outcome = None;
        let used = allocation_counter::measure(|| {
            outcome = Some(wire(codec).decode::<V>(&message, None).map(drop));
        });
        assert_eq!(outcome, Some(Err(Rejected::Decode)));
        assert!(used.bytes_max < MOST, "{codec:?} {payload:x?}: {used:?}");
    }
    let message_pack = [
        &b"\xDD\xFF\xFF\xFF\xFF\x01"[..],
        b"\xDF\xFF\xFF\xFF\xFF",
        b"\xDB\xFF\xFF\xFF\xFFabc",
        b"\xC6\xFF\xFF\xFF\xFFabc",
    ];
    let bincode = [&b"\xFC\xFF\xFF\xFF\x0F\x01"[..], b"\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"];
    let bincode = bincode.into_iter().filter(|_| Codec::Bincode.is_available());
    let claims = message_pack.map(|payload| (Codec::MessagePack, payload)).into_iter();
    let postcard = [&b"\xFF\xFF\xFF\xFF\x0F\x01"[..], b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"];
    let postcard = postcard.into_iter().filter(|_| Codec::Postcard.is_available());
    let claims = claims.chain(bincode.map(|payload| (Codec::Bincode, payload)));
    for (codec, payload) in claims.chain(postcard.map(|payload| (Codec::Postcard, payload))) {
        decode_within::<Vec<u64>>(codec, payload);
        decode_within::<Vec<[u64; 32]>>(codec, payload);
        decode_within::<String>(codec, payload);
        decode_within::<std::ffi::CString>(codec, payload);
        decode_within::<HashMap<String, Vec<u64>>>(codec, payload);
    }
}

/// A claim that compression could fulfil gets what it claims, and no more.
#[test]
fn what_expands_gets_no_more_memory_than_it_claims() {
    let shape = Wire::default().fingerprint::<String>(&Codec::MessagePack.into(), b"\xA0", None);
    for compression in [Compression::Lz4, Compression::Zstd].into_iter().filter(|it| it.is_available()) {
        let raw = 255 * 1_000;
        let message = packed(Codec::MessagePack, compression, shape, raw, &[0xFF; 1_000]);
        let mut outcome = None;
        let used = allocation_counter::measure(|| {
            outcome = Some(Wire::default().decode::<String>(&message, None).map(drop));
        });
        assert_eq!(outcome, Some(Err(Rejected::Decompress)));
        assert!(used.bytes_max <= u64::from(raw) + 1_024, "{used:?}");
    }
}

#[test]
fn claims_of_the_header_are_checked() {
    let original = Wire::default().encode(&"a".repeat(5_000), &envelope(), None).unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut message = original.clone();
        message[at..at + bytes.len()].copy_from_slice(bytes);
        header::seal_message(&mut message);
        Wire::default().decode::<String>(&message, None).map(|decoded| decoded.value.len())
    };
    assert_eq!(changed(12, &original[12..16]), Ok(5_000));
    // The length of the header: less than one, not a multiple, 4,097 scopes, all that fit, 4,096 that are not there.
    for length in [0_u16, 79, 81, 80 + 8 * 4_097, 80 + 8 * 8_181, u16::MAX] {
        assert_eq!(changed(8, &length.to_be_bytes()), Err(Rejected::Header), "{length}");
    }
    assert_eq!(changed(8, &(80_u16 + 8 * 4_096).to_be_bytes()), Err(Rejected::Truncated));
    assert_eq!(changed(10, &[0]), Err(Rejected::Codec(0)));
    assert_eq!(changed(10, &[255]), Err(Rejected::Codec(255)));
    assert_eq!(changed(11, &[255]), Err(Rejected::Compression));
    // The raw length: more than is allowed, more than compression can do, more or less than there is.
    assert_eq!(changed(12, &u32::MAX.to_be_bytes()), Err(Rejected::TooLarge));
    assert_eq!(changed(12, &(200_u32 << 20).to_be_bytes()), Err(Rejected::Header));
    assert_eq!(changed(12, &5_002_u32.to_be_bytes()), Err(Rejected::Decompress));
    assert_eq!(changed(12, &5_004_u32.to_be_bytes()), Err(Rejected::Decompress));
    assert_eq!(changed(12, &0_u32.to_be_bytes()), Err(Rejected::Decompress));
    // It is fresh for less time than it is prompt.
    assert_eq!(changed(48, &0_u64.to_be_bytes()), Err(Rejected::Header));
    assert_eq!(changed(72, &0_u32.to_be_bytes()), Err(Rejected::Trailing));
    assert_eq!(changed(72, &u32::MAX.to_be_bytes()), Err(Rejected::Truncated));
}

#[test]
fn an_uncompressed_payload_has_its_own_length() {
    let mut message = wire(Codec::Json).encode(&ada(), &envelope(), None).unwrap();
    message[15] += 1;
    header::seal_message(&mut message);
    assert_eq!(wire(Codec::Json).decode::<User>(&message, None), Err(Rejected::Header));
}

#[test]
fn compressed_rubbish_is_rejected() {
    for compression in COMPRESSIONS.into_iter().filter(|compression| compression.is_available()) {
        for length in [0, 1, 10, 1000] {
            let rubbish: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect();
            let raw = if compression == Compression::None { length } else { length * 100 } as u32;
            let shape = Wire::default().fingerprint::<User>(&Codec::Json.into(), b"{}", None);
            let message = packed(Codec::Json, compression, shape, raw, &rubbish);
            assert!(Wire::default().decode::<User>(&message, None).is_err());
        }
    }
}
