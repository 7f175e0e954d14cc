//! Payloads that any program may have written, in a message whose header is right.
#![no_main]

use larder::private::fuzzing::decode;
use larder_fuzz::{Attributes, CODECS, COMPRESSIONS, Deep, Rich, State};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let &[codec, compression, ty, high, low, ref payload @ ..] = input else { return };
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    let compression = COMPRESSIONS[usize::from(compression) % COMPRESSIONS.len()];
    let raw = u16::from_be_bytes([high, low]).into();
    match ty % 8 {
        0 => decode::<Rich>(codec, compression, raw, payload),
        1 => decode::<Attributes>(codec, compression, raw, payload),
        2 => decode::<Deep>(codec, compression, raw, payload),
        3 => decode::<serde_json::Value>(codec, compression, raw, payload),
        4 => decode::<Vec<State>>(codec, compression, raw, payload),
        5 => decode::<String>(codec, compression, raw, payload),
        6 => decode::<Vec<(u64, f64)>>(codec, compression, raw, payload),
        _ => decode::<Option<Vec<Option<u8>>>>(codec, compression, raw, payload),
    }
});
