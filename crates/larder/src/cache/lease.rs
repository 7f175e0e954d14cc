//! A lease: what keeps other processes from computing the same value.

use std::fmt;

/// The right to compute for all processes that share a server. Given back when it is dropped.
pub struct Lease(Box<dyn HeldLease>);

/// What a cache does about a [`Lease`] that it gave. Dropping it gives the lease back.
pub trait HeldLease: Send {
    /// The value was stored: those who wait will find it.
    fn fill(&mut self);
}

impl Lease {
    /// A lease that a cache gives.
    #[must_use]
    pub fn new(lease: impl HeldLease + 'static) -> Self {
        Self(Box::new(lease))
    }

    pub(crate) fn fill(&mut self) {
        self.0.fill();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
