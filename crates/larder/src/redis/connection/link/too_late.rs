//! Requests whose deadline was over first.

/// A deadline was over before the answer.
pub(super) struct TooLate {
    /// Whether the request had the time that tells something of the server. It has not where another node had most of it, which
    /// sent the request on.
    pub(super) in_vain: bool,
}
