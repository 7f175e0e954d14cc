//! Zstandard, in one call on buffers of known length: it then needs no window of its own, whatever
//! window the frame asks for.

/// Zstandard's own default: beyond it, time grows much faster than what is saved.
const LEVEL: i32 = 3;

/// Appends `raw` to `message`, compressed, if that makes it smaller.
pub(super) fn compress(raw: &[u8], message: &mut Vec<u8>) -> Option<usize> {
    let start = message.len();
    message.resize(start + raw.len(), 0);
    zstd::bulk::compress_to_buffer(raw, &mut message[start..], LEVEL).ok()
}

/// The decompressed length, if `payload` is all of a frame and fits into `room`.
pub(super) fn decompress(payload: &[u8], room: &mut [u8]) -> Option<usize> {
    zstd::bulk::decompress_to_buffer(payload, room).ok()
}
