//! What `:md5` and `:hash` digest: no two values have the same bytes, since the value can be read from them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| larder::private::check_encoding(input));
