//! What can be set of a disk tier.

use std::path::PathBuf;

/// Where it is, and how large it may be.
#[derive(Debug, Clone)]
pub(crate) struct DiskSettings {
    pub(crate) path: PathBuf,
    /// In bytes.
    pub(crate) capacity: u64,
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self { path: PathBuf::new(), capacity: DEFAULT_CAPACITY }
    }
}

/// The most that is kept unless told otherwise.
const DEFAULT_CAPACITY: u64 = 1 << 30;

/// The least that makes sense.
pub(crate) const LEAST_CAPACITY: u64 = 1 << 20;
