//! How large and how deep a message may be.

/// How large a message may be, from any writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest message, header included. A larger value is not written, a larger message not read.
    pub(crate) largest_stored: usize,
    /// The longest payload before compression: what reading one message may allocate for its bytes.
    pub(crate) largest_raw: usize,
    /// How deep a value may nest: a struct in an `Option` in a list is three levels, an enum with fields
    /// two, a number none. The default needs no more than half of a thread's 2 MiB of stack in a build
    /// without optimization. What is deeper needs a thread of its own: see [`Limits::DEEPEST`].
    pub(crate) deepest: usize,
}

impl Limits {
    /// The most levels that a value may have at all: enough for the 1,023 lists and maps that rmp-serde reads, with
    /// an `Option`, a newtype and an enum around each.
    pub(crate) const DEEPEST: usize = 4_096;

    /// The stack that so many levels need in a build without optimization, with a margin of four.
    pub(crate) const STACK: usize = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { largest_stored: 128 << 20, largest_raw: 256 << 20, deepest: 128 }
    }
}
