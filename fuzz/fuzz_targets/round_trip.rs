//! Values, through every codec and compression.
#![no_main]

use arbitrary::Arbitrary;
use larder::private::fuzzing::round_trip;
use larder_fuzz::{Attributes, CODECS, COMPRESSIONS, Deep, Rich};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Input {
    Rich(Vec<Rich>),
    Attributes(Attributes),
    Deep(Deep),
    /// What compresses well.
    Repeated(String, u8),
}

fuzz_target!(|input: (u8, u8, Input)| {
    let (codec, compression, input) = input;
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    let compression = COMPRESSIONS[usize::from(compression) % COMPRESSIONS.len()];
    match input {
        Input::Rich(value) => round_trip(codec, compression, &value),
        Input::Attributes(value) => round_trip(codec, compression, &value),
        Input::Deep(value) => round_trip(codec, compression, &value),
        Input::Repeated(text, times) => round_trip(codec, compression, &text.repeat(times.into())),
    }
});
