//! Values of types that lose something: what comes back different was not shared.
#![no_main]

use larder::private::fuzzing::faithful;
use larder_fuzz::{CODECS, lossy::Lossy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Lossy)| {
    let (codec, value) = input;
    faithful(CODECS[usize::from(codec) % CODECS.len()], &value);
});
