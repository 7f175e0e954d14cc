//! A part of the wire format: these bytes never change.

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

#[test]
fn message_pack() {
    let golden = "4c524401b9a8b864006001000000000e62f3f95a0000000372416715547186500000018bcfe569f4000000000003a980\
                  00000000000493e0000000000000753000000000000927c00000000e829c5bec4ca53c42388cf7d6e527a01c82f7353\
                  982a2696407a46e616d65a3416461";
    let message = wire(Codec::MessagePack).encode(&ada(), &envelope(), None).unwrap();
    assert_eq!(hex(&message), golden);
    let decoded: Decoded<User> = Wire::default().decode(&bytes(golden), None).unwrap();
    assert_eq!(decoded, Decoded { value: ada(), envelope: envelope() });
}

#[test]
fn json() {
    let golden = "4c524401cf73c352006002000000001562f3f95a000000032bf43f2daf8696450000018bcfe569f4000000000003a980\
                  00000000000493e0000000000000753000000000000927c000000015caded3874ca53c42388cf7d6e527a01c82f7353\
                  97b226964223a372c226e616d65223a22416461227d";
    let message = wire(Codec::Json).encode(&ada(), &envelope(), Some(3)).unwrap();
    assert_eq!(hex(&message), golden);
    let decoded: Decoded<User> = Wire::default().decode(&bytes(golden), Some(3)).unwrap();
    assert_eq!(decoded, Decoded { value: ada(), envelope: envelope() });
}

#[test]
fn json_is_readable_behind_the_header() {
    let message = wire(Codec::Json).encode(&ada(), &envelope(), None).unwrap();
    let head = usize::from(message[8]) << 8 | usize::from(message[9]);
    assert_eq!(&message[head..], br#"{"id":7,"name":"Ada"}"#);
}

#[cfg(feature = "bincode")]
#[test]
fn bincode() {
    let golden = "4c5244011c86357f005003000000000562f3f95a00000003724125a828d2a5550000018bcfe569f4000000000003a980\
                  00000000000493e0000000000000753000000000000927c000000005dd9c4be90703416461";
    let message = wire(Codec::Bincode).encode(&ada(), &no_scopes(), None).unwrap();
    assert_eq!(hex(&message), golden);
    let decoded: Decoded<User> = Wire::default().decode(&bytes(golden), None).unwrap();
    assert_eq!(decoded, Decoded { value: ada(), envelope: no_scopes() });
}

#[cfg(feature = "postcard")]
#[test]
fn postcard() {
    let golden = "4c524401a896de39005004000000000562f3f95a00000003724125a828d2a5550000018bcfe569f4000000000003a980\
                  00000000000493e0000000000000753000000000000927c000000005dd9c4be90703416461";
    let message = wire(Codec::Postcard).encode(&ada(), &no_scopes(), None).unwrap();
    assert_eq!(hex(&message), golden);
    let decoded: Decoded<User> = Wire::default().decode(&bytes(golden), None).unwrap();
    assert_eq!(decoded, Decoded { value: ada(), envelope: no_scopes() });
}

/// What a later release of the compressor may write otherwise, every release has to read.
#[test]
fn compressed() {
    const LZ4: &str = "4c52440123e66e3c005001010000057b62f3f95a000000033b033b03e72dcd600000018bcfe569f4000000000003a980\
                       00000000000493e0000000000000753000000000000927c00000001a32eadbe6afda05786c6172646572200700ffffff\
                       ffff5d60617264657220";
    const ZSTD: &str = "4c524401068a44f2005001020000057b62f3f95a000000033b033b03e72dcd600000018bcfe569f4000000000003a980\
                        00000000000493e0000000000000753000000000000927c00000001b9027d97d28b52ffd607b048d000050da05786c61\
                        726465722001006ee92f48";
    let value = "larder ".repeat(200);
    for (compression, golden) in [(Compression::Lz4, LZ4), (Compression::Zstd, ZSTD)] {
        if !compression.is_available() {
            continue;
        }
        let header = Header::parse(&bytes(golden), &Limits::default()).unwrap();
        assert_eq!(header.compression, compression);
        let decoded: Decoded<String> = Wire::default().decode(&bytes(golden), None).unwrap();
        assert_eq!(decoded.value, value);
    }
}

/// All values of a rich type, so that no codec's way to write one of them changes unnoticed.
#[test]
fn payloads_of_every_kind() {
    // Without maps of more than one entry, whose order is not fixed.
    let value = Rich { by_name: HashMap::from([("b".into(), Some(1))]), ..rich() };
    let payload = |codec: Codec| {
        let message = wire(codec).encode(&value, &no_scopes(), None).unwrap();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&message[header::FIXED..]))
    };
    assert_eq!(payload(Codec::MessagePack), "b38a3bfa41efb2df");
    assert_eq!(payload(Codec::Json), "cecddb57d6e70a48");
    #[cfg(feature = "bincode")]
    assert_eq!(payload(Codec::Bincode), "5a4aafada0a07cee");
    #[cfg(feature = "postcard")]
    assert_eq!(payload(Codec::Postcard), "d597fafc574025e8");
}

#[test]
fn the_documented_example_is_a_message() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wire-format.md"));
    let page = page.expect("the page is in the repository");
    let block = page.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the example");
    let digits: String = block.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    let example = bytes(&digits);
    assert_eq!(wire(Codec::Json).encode(&ada(), &envelope(), None).unwrap(), example);
    let decoded: Decoded<User> = Wire::default().decode(&example, None).unwrap();
    assert_eq!(decoded, Decoded { value: ada(), envelope: envelope() });
}
