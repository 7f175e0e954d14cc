//! The disk tier in the environment.

use super::variables::{Variables, invalid, parsed, set};
use crate::{MemoryCacheBuilder, disk::LEAST_CAPACITY, error::Result};

/// The same with a disk tier, if a folder is named.
pub(super) fn with_disk(memory: MemoryCacheBuilder, variables: Variables<'_>) -> Result<MemoryCacheBuilder> {
    let text = |name| set(variables, name);
    let capacity = "a whole number of bytes, 1048576 (1 MiB) at least";
    let capacity = parsed(&text, "LARDER_DISK_CAPACITY", capacity, |bytes: &u64| *bytes >= LEAST_CAPACITY)?;
    let Some(path) = text("LARDER_DISK")? else { return Ok(memory) };
    if text("REDIS_URL")?.is_some() && text("LARDER_SEAL_KEYS")?.is_some() {
        let why = "values are sealed in Redis by LARDER_SEAL_KEYS, and on disk they would not be";
        return Err(invalid("LARDER_DISK", &path, why));
    }
    let memory = memory.disk(path);
    Ok(capacity.into_iter().fold(memory, MemoryCacheBuilder::disk_capacity))
}
