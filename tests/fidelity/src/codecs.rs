//! The codecs that the rows are run with.

use larder::Codec;

/// Their names, in the order of a row's columns.
pub const CODECS: [(&str, Codec); 3] =
    [("MessagePack", Codec::MessagePack), ("JSON", Codec::Json), ("bincode", Codec::Bincode)];

/// How many there are.
pub const COUNT: usize = CODECS.len();
