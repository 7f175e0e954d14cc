//! Values of one release, read by another one: a hit loses nothing.
#![no_main]

use larder::private::fuzzing::builds;
use larder_fuzz::{
    CODECS,
    releases::{old, renamed_in_variant, renamed_inside, renamed_variant, widened},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, old::Stored)| {
    let (codec, release, value) = input;
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    match release % 4 {
        0 => builds::<_, renamed_inside::Stored>(codec, &value),
        1 => builds::<_, renamed_in_variant::Stored>(codec, &value),
        2 => builds::<_, widened::Stored>(codec, &value),
        _ => builds::<_, renamed_variant::Stored>(codec, &value),
    }
});
