//! Whole messages that any program may have written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| larder::private::fuzzing::header(message));
