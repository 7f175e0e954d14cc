//! Sealed messages that anyone may have written or changed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], usize)| larder::private::fuzzing::sealed(input.0, input.1, input.2));
