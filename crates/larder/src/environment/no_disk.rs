//! Without the feature `disk`: a folder in the environment is an error, and never silently left aside.

use super::variables::invalid;
use crate::{MemoryCacheBuilder, error::Result};

pub(super) fn with_disk(
    memory: MemoryCacheBuilder,
    text: &impl Fn(&'static str) -> Result<Option<String>>,
) -> Result<MemoryCacheBuilder> {
    match text("LARDER_DISK")? {
        Some(path) => {
            let why = "it needs larder's feature `disk`, which is not enabled";
            Err(invalid("LARDER_DISK", &path, why))
        }
        None => Ok(memory),
    }
}
