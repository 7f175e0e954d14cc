//! Without the feature `disk`: there is none.

use super::builder::MemoryCacheBuilder;
use crate::{cache_core::Core, disk::DiskTier, error::Result};

impl MemoryCacheBuilder {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with a disk there is more to it")]
    pub(super) fn open_disk(&self, _: &Core) -> Result<Option<DiskTier>> {
        Ok(None)
    }
}
