//! Files that are open, and a folder that is taken from a cache.

use std::{
    env,
    fs::{self, File},
    process::Command,
};

use larder::{CacheExt, Invalidation, MemoryCache};

use crate::{LONG, folder, get, open, segments, support, support::long, written};

const FOLDER: &str = "LARDER_DISK_TEST_FOLDER";

/// More than the process below may have open.
const FILES: u64 = 30;

fn incompressible() -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(5_000).collect()
}

/// The threads of all disk tiers of this process.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "larder-disk").count()
}

/// The open files below a folder.
fn files_below(folder: &std::path::Path) -> usize {
    let open =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    open.filter(|path| path.starts_with(folder)).count()
}

/// Opens it, when the cache before has ended: a machine that is busy takes its time.
async fn in_turn(folder: &std::path::Path) -> MemoryCache {
    let build = || MemoryCache::builder().disk(folder).disk_capacity(1 << 20).build().ok();
    let mut built = build();
    support::eventually(|| {
        built = built.take().or_else(build);
        built.is_some()
    })
    .await;
    built.unwrap()
}

/// In a process that may have 32 files open.
#[tokio::test]
#[ignore = "a process of its own, which the test below starts"]
async fn child() {
    let folder = std::path::PathBuf::from(env::var(FOLDER).unwrap());
    let cache = MemoryCache::builder().disk(&folder).disk_capacity(1 << 20).build().unwrap();
    for n in 0..FILES {
        assert_eq!(get(&cache, &format!("k:{n}")).await, Some(n), "it is read, from whichever file");
    }
    // The service takes all that are left.
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let value = incompressible();
    for n in 0..40 {
        cache.insert(&format!("new:{n}"), &value, long()).await.unwrap();
    }
    written(&cache, 40).await;
    assert!(matches!(cache.invalidate("k:1").await, Invalidation::Delivered(_)));
    assert!(cache.flush(LONG).await);
    assert_eq!(cache.stats().disk_failures, 0);
    drop(taken);
    drop(cache);
    for _ in 0..100 {
        let cache = in_turn(&folder).await;
        assert_eq!(get(&cache, "k:2").await, Some(2));
    }
    drop(in_turn(&folder).await);
    support::eventually(|| (threads(), files_below(&folder)) == (0, 0)).await;
    println!("survived");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_without_files_to_open_loses_nothing() {
    let folder = folder();
    for n in 0..FILES {
        let cache = open(&folder);
        cache.insert(&format!("k:{n}"), &n, long()).await.unwrap();
    }
    assert_eq!(segments(folder.path()).len() as u64, FILES);
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 32; exec \"$0\" --exact files::child --ignored --nocapture 2>&1"])
        .arg(env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("survived"), "{told}");
    let cache = open(&folder);
    assert_eq!((get(&cache, "k:1").await, get(&cache, "k:2").await), (None, Some(2)));
    assert_eq!(cache.get::<Vec<u8>>("new:39").await.unwrap().map(|value| value.len()), Some(5_000));
}

/// By what clears temporary folders, say.
#[cfg(unix)]
#[tokio::test]
async fn who_was_locked_out_no_more_writes_nothing_into_the_folder_of_another_cache() {
    let folder = folder();
    let former = MemoryCache::builder().disk(folder.path()).disk_capacity(1 << 20).build().unwrap();
    former.insert("former:1", &1_u64, long()).await.unwrap();
    written(&former, 1).await;
    fs::remove_file(folder.path().join("lock")).unwrap();
    let cache = open(&folder);
    cache.insert("k", &2_u64, long()).await.unwrap();
    assert!(cache.flush(LONG).await);
    // More than there is room for in the file that the former one has.
    let value = incompressible();
    for n in 0..20 {
        former.insert(&format!("former:{n}"), &value, long()).await.unwrap();
    }
    support::eventually(|| former.stats().disk_failures > 0).await;
    assert_eq!(former.invalidate("former:1").await, Invalidation::Queued);
    drop(former);
    assert_eq!((get(&cache, "k").await, cache.stats().disk_failures), (Some(2), 0));
    drop(cache);
    let cache = open(&folder);
    assert_eq!(get(&cache, "k").await, Some(2));
    assert_eq!(cache.get::<Vec<u8>>("former:19").await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_was_emptied_is_used_again() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("k:1", &1_u64, long()).await.unwrap();
    written(&cache, 1).await;
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    // Ends the file that is gone: a new one is needed.
    assert!(cache.flush(LONG).await);
    cache.insert("k:2", &2_u64, long()).await.unwrap();
    support::eventually(|| cache.stats().disk_failures > 0).await;
    assert!(matches!(cache.invalidate("k:1").await, Invalidation::Delivered(_)), "nothing is left of it");
    assert!(MemoryCache::builder().disk(folder.path()).build().is_err(), "it is in use again");
}
