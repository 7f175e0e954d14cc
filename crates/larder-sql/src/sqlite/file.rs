//! Which file a connection has open.

use std::path::{Path, PathBuf};

/// A file, told from another one that is put in its place.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    number: Option<(u64, u64)>,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), number: number(path) }
    }

    /// Whether its path leads to it still.
    pub(super) fn is_there(&self) -> bool {
        self.number.is_some() && number(&self.path) == self.number
    }

    /// For people, and to compare.
    pub(super) fn name(&self) -> String {
        let (device, inode) = self.number.unwrap_or_default();
        format!("{device}.{inode}")
    }
}

#[cfg(unix)]
fn number(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Where an open file cannot be replaced.
#[cfg(not(unix))]
fn number(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}
