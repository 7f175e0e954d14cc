//! Disks that cannot be written: the cache goes on without.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use larder::{CacheExt, Invalidation, MemoryCache};
use tempfile::TempDir;

use crate::{LONG, folder, get, open, support, support::long};

const FOLDER: &str = "LARDER_DISK_TEST_FOLDER";
const STAYS: &str = "LARDER_DISK_TEST_STAYS";

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_done_without() {
    larder_warnings::listen();
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let cache = MemoryCache::builder().disk(&path).build().unwrap();
        cache.insert("k", &1_u64, long()).await.unwrap();
        assert_eq!((get(&cache, "k").await, cache.stats().disk_failures), (Some(1), 1));
        assert!(matches!(cache.invalidate("k").await, Invalidation::Delivered(_)));
        assert_eq!(get(&cache, "k").await, None);
        assert_eq!(larder_warnings::heard(&["disk tier", path.to_str().unwrap()]).len(), 1);
    }
    assert_eq!(fs::read(file).unwrap(), b"mine");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_folder_leads_nowhere() {
    let (folder, elsewhere) = (folder(), folder());
    let mine = elsewhere.path().join("mine");
    fs::write(&mine, "mine").unwrap();
    std::os::unix::fs::symlink(&mine, folder.path().join("unfinished")).unwrap();
    let cache = open(&folder);
    cache.insert("k", &1_u64, long()).await.unwrap();
    assert!(cache.flush(LONG).await);
    drop(cache);
    let lock = folder.path().join("lock");
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&mine, &lock).unwrap();
    let cache = open(&folder);
    assert_eq!((get(&cache, "k").await, cache.stats().disk_failures), (None, 1));
    assert_eq!(fs::read(mine).unwrap(), b"mine");
}

/// In a process whose files may not be longer than 128 kB: the kernel refuses what is more.
#[tokio::test]
#[ignore = "a process of its own, which the test below starts"]
async fn child() {
    larder_warnings::listen();
    let folder = env::var(FOLDER).unwrap();
    let cache = MemoryCache::builder().disk(&folder).disk_capacity(64 << 20).build().unwrap();
    for n in 0..100_u64 {
        cache.insert(&format!("k:{n}"), &n, long()).await.unwrap();
        assert_eq!(get(&cache, &format!("k:{n}")).await, Some(n));
    }
    support::eventually(|| cache.stats().disk_failures > 0).await;
    let invalidated = cache.invalidate("k:1").await;
    assert_eq!((get(&cache, "k:1").await, get(&cache, "k:2").await), (None, Some(2)));
    // What stays there cannot be told: that does not outlive the process.
    let stays = env::var(STAYS).is_ok();
    assert_eq!(invalidated == Invalidation::Queued, stays, "{invalidated:?}");
    assert_eq!(cache.flush(LONG).await, !stays);
    assert_eq!(larder_warnings::heard(&["disk tier", "cannot be used"]).len(), 1);
    println!("survived");
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_done_without() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("k:1", &7_u64, long()).await.unwrap();
    cache.insert("k:2", &7_u64, long()).await.unwrap();
    drop(cache);
    run_limited(&folder, &[]);
    // It could not write down what it invalidated, so nothing is left.
    let cache = open(&folder);
    assert_eq!((get(&cache, "k:1").await, get(&cache, "k:2").await), (None, None));
    cache.insert("k:1", &8_u64, long()).await.unwrap();
    assert!(cache.flush(LONG).await);
}

/// And of which nothing can be removed, where that can be had.
#[tokio::test]
async fn what_cannot_be_told_to_the_disk_is_not_said_to_be_delivered() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("k:1", &7_u64, long()).await.unwrap();
    drop(cache);
    if !run("chattr", &["+i"], folder.path()) {
        println!("skipped: no folder can be made immutable here");
        return;
    }
    let _mutable = Mutable(&folder);
    run_limited(&folder, &[(STAYS, "1")]);
}

struct Mutable<'f>(&'f TempDir);

impl Drop for Mutable<'_> {
    fn drop(&mut self) {
        run("chattr", &["-i"], self.0.path());
    }
}

fn run_limited(folder: &TempDir, variables: &[(&str, &str)]) {
    let limited = "ulimit -f 128; trap '' XFSZ; exec \"$0\" --exact unusable::child --ignored --nocapture";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("survived"), "{told}");
}

/// A small file system of its own, where that may be mounted.
struct Mounted(TempDir);

impl Mounted {
    fn new() -> Option<Self> {
        let folder = folder();
        run("mount", &["-t", "tmpfs", "-o", "size=256k", "larder-test"], folder.path())
            .then_some(Self(folder))
    }

    fn remount(&self, how: &str) -> bool {
        run("mount", &["-o", &format!("remount,{how}")], self.0.path())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["-l"], self.0.path());
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> bool {
    let ran = Command::new(program).args(arguments).arg(folder).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_read_only_one_hold_no_one_up() {
    let Some(mounted) = Mounted::new() else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let cache = MemoryCache::builder().disk(mounted.0.path().join("cache")).build().unwrap();
    let value: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(50_000).collect();
    for n in 0..20 {
        cache.insert(&format!("k:{n}"), &value, long()).await.unwrap();
    }
    support::eventually(|| cache.stats().disk_failures > 0).await;
    assert!(cache.stats().disk_dropped > 0);
    // All of it is gone, so that no one has to be told: it is as good as written.
    assert!(matches!(cache.invalidate("k:1").await, Invalidation::Delivered(_)));
    assert_eq!(cache.get::<Vec<u8>>("k:2").await.unwrap().as_ref(), Some(&value));
    drop(cache);

    let cache = MemoryCache::builder().disk(mounted.0.path().join("other")).build().unwrap();
    cache.insert("k", &1_u64, long()).await.unwrap();
    drop(cache);
    assert!(mounted.remount("ro"), "no file of it is open");
    let cache = MemoryCache::builder().disk(mounted.0.path().join("other")).build().unwrap();
    assert_eq!((get(&cache, "k").await, cache.stats().disk_failures), (None, 1));
}
