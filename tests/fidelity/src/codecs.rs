//! The codecs that the rows are run with.

use larder::{RedisCacheBuilder, codec};

/// Has a cache write with a codec.
pub type With = fn(RedisCacheBuilder) -> RedisCacheBuilder;

/// Their names, in the order of a row's columns.
pub const CODECS: [(&str, With); 4] = [
    ("MessagePack", |redis| redis.codec(codec::MessagePack)),
    ("JSON", |redis| redis.codec(codec::Json)),
    ("bincode", |redis| redis.codec(codec::Bincode)),
    ("postcard", |redis| redis.codec(codec::Postcard)),
];

/// How many there are.
pub const COUNT: usize = CODECS.len();
