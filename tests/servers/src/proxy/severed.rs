//! How a link ends before its time.

/// Both sides of the link are to end, whatever was still to come.
#[derive(Debug)]
pub(super) enum Severed {
    /// At once: what was not read yet is gone.
    Reset,
    /// After what was written has arrived.
    Close,
}
