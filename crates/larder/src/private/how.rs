//! How a cached function is called.

/// How a cached function is called: a byte, of which a hit looks at no more than whether it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it was written.
    Plain,
    /// By `refresh`: it computes, whatever the cache has.
    Refresh,
    /// By `with_outcome`: it tells what becomes of it.
    Observed,
}

impl How {
    /// Whether it computes, whatever the cache has.
    #[must_use]
    pub fn is_refresh(self) -> bool {
        self == Self::Refresh
    }
}
