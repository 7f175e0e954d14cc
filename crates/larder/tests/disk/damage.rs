//! Files that were changed by others: what is not certain is a miss.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use larder::{CacheExt, MemoryCache};
use tempfile::TempDir;

use crate::{folder, get, on, open, segments, snapshot, support::long, written};

const KEYS: u64 = 60;

/// What does not become small.
fn value(seed: u64) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u64(..)).take(250).collect()
}

/// A third of the keys was invalidated, a third was replaced, and a third is as it was: in several files, and as a process
/// leaves them that was killed.
async fn killed() -> TempDir {
    let folder = folder();
    let cache = on(&folder).disk_capacity(1 << 20).build().unwrap();
    for n in 0..KEYS {
        cache.insert(&format!("k:{n}"), &value(n), long()).await.unwrap();
    }
    let mut stored = KEYS;
    for n in 0..KEYS {
        match n % 3 {
            0 => drop(cache.invalidate(format!("k:{n}")).await),
            1 => {
                cache.insert(&format!("k:{n}"), &value(n + 1_000), long()).await.unwrap();
                stored += 1;
            }
            _ => {}
        }
    }
    written(&cache, stored).await;
    let killed = snapshot(&folder);
    assert!(segments(killed.path()).len() > 1, "{:?}", segments(killed.path()));
    killed
}

/// How many values are found; none of them is wrong.
async fn check(folder: &Path, what: &str) -> usize {
    let cache = MemoryCache::builder().disk_capacity(1 << 20).disk(folder).build().unwrap();
    let mut found = 0;
    for n in 0..KEYS {
        let there = cache.get::<Vec<u64>>(&format!("k:{n}")).await.unwrap();
        let expected = match n % 3 {
            0 => None,
            1 => Some(n + 1_000),
            _ => Some(n),
        };
        if there.is_some() {
            assert_eq!(there, expected.map(value), "k:{n}: {what}");
            found += 1;
        }
    }
    // It works on, as one that is new.
    cache.insert("k:0", &1_u64, long()).await.unwrap();
    assert_eq!(get(&cache, "k:0").await, Some(1));
    found
}

#[tokio::test]
async fn files_that_are_whole_are_read_as_a_whole() {
    assert_eq!(check(killed().await.path(), "whole").await, 40);
}

#[tokio::test]
async fn bytes_that_changed_are_misses() {
    let killed = killed().await;
    let mut found = 0;
    for trial in 0..150 {
        let harmed = snapshot(&killed);
        let files = segments(harmed.path());
        let file = &files[fastrand::usize(..files.len())];
        let mut bytes = fs::read(file).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for _ in 0..=fastrand::usize(..3) {
            bytes[fastrand::usize(..written)] ^= 1 << fastrand::u8(..8);
        }
        fs::write(file, bytes).unwrap();
        found += check(harmed.path(), &format!("changed, trial {trial}")).await;
    }
    assert!(found > 0, "what was not harmed is found");
}

#[tokio::test]
async fn files_that_were_cut_off_or_removed_are_misses() {
    let killed = killed().await;
    for trial in 0..50 {
        let harmed = snapshot(&killed);
        let files = segments(harmed.path());
        let file = &files[fastrand::usize(..files.len())];
        let length = fs::metadata(file).unwrap().len();
        OpenOptions::new().write(true).open(file).unwrap().set_len(fastrand::u64(..length)).unwrap();
        check(harmed.path(), &format!("cut off, trial {trial}")).await;
    }
    for file in segments(killed.path()) {
        let harmed = snapshot(&killed);
        fs::remove_file(harmed.path().join(file.file_name().unwrap())).unwrap();
        check(harmed.path(), &format!("without {}", file.display())).await;
    }
    let harmed = snapshot(&killed);
    fs::remove_file(harmed.path().join("lock")).unwrap();
    assert_eq!(check(harmed.path(), "nothing tells which segment was the last").await, 0);
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let folder = folder();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    fs::write(folder.path().join("segment-00000007"), "no segment").unwrap();
    fs::create_dir(folder.path().join("segment-of-mine")).unwrap();
    let cache = open(&folder);
    cache.insert("k", &1_u64, long()).await.unwrap();
    drop(cache);
    let cache = open(&folder);
    assert_eq!((get(&cache, "k").await, cache.stats().disk_failures), (Some(1), 0));
    assert_eq!(fs::read(folder.path().join("notes.txt")).unwrap(), b"mine");
}

/// What the system had not written yet is lost in a power cut, whichever it was.
#[tokio::test]
async fn after_a_power_cut_only_what_was_safe_before_is_found() {
    /// As if it had been written before the machine was started: the boot is in the head of each segment.
    fn of_another_boot(folder: &TempDir) -> TempDir {
        let copy = snapshot(folder);
        for file in segments(copy.path()) {
            let mut bytes = fs::read(&file).unwrap();
            bytes[40] ^= 1;
            let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..72]);
            bytes[72..80].copy_from_slice(&checksum.to_be_bytes());
            fs::write(file, bytes).unwrap();
        }
        copy
    }

    let folder = folder();
    let cache = open(&folder);
    cache.insert("k", &1_u64, long()).await.unwrap();
    written(&cache, 1).await;
    assert_eq!(get(&open(&snapshot(&folder)), "k").await, Some(1));
    if fs::exists("/proc/sys/kernel/random/boot_id").unwrap() {
        assert_eq!(get(&open(&of_another_boot(&folder)), "k").await, None, "nothing was made safe");
    }
    assert!(cache.flush(crate::LONG).await);
    assert_eq!(get(&open(&of_another_boot(&folder)), "k").await, Some(1), "it was");
    cache.invalidate("other").await;
    if fs::exists("/proc/sys/kernel/random/boot_id").unwrap() {
        assert_eq!(get(&open(&of_another_boot(&folder)), "k").await, None, "something came after it");
    }
    drop(cache);
    assert_eq!(get(&open(&of_another_boot(&folder)), "k").await, Some(1), "the end makes it safe");
}
