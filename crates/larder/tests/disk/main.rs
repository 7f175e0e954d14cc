//! A disk tier: what a process finds that begins anew, and what it must not find.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tell")]

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod environment;
mod files;
mod kills;
mod limits;
mod restart;
mod slow;
mod speed;
mod tiered;
mod unusable;

use std::{fs, path::Path, time::Duration};

use larder::{CacheExt, MemoryCache, MemoryCacheBuilder};
use tempfile::TempDir;

pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn on(folder: &TempDir) -> MemoryCacheBuilder {
    MemoryCache::builder().disk(folder.path())
}

pub(crate) fn open(folder: &TempDir) -> MemoryCache {
    on(folder).build().unwrap()
}

/// Waits until the disk has taken in, or refused, this many entries.
pub(crate) async fn written(cache: &MemoryCache, entries: u64) {
    let settled = || {
        let stats = cache.stats();
        stats.disk_stores + stats.disk_skipped + stats.disk_dropped >= entries
    };
    support::eventually(settled).await;
}

/// What a process that is killed now leaves to the next one: what it has written is the system's.
pub(crate) fn snapshot(of: impl AsRef<Path>) -> TempDir {
    let copy = folder();
    for file in fs::read_dir(of).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// What is found under a key, and not computed.
pub(crate) async fn get(cache: &impl larder::Cache, key: &str) -> Option<u64> {
    cache.get(key).await.unwrap()
}

/// The files of segments, oldest first.
pub(crate) fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("segment-")).collect();
    files.sort();
    files
}
