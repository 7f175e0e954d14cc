//! Disks that cannot be written: the cache goes on without.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use larder::{CacheExt, Invalidation, MemoryCache};
use tempfile::TempDir;

use crate::{LONG, folder, get, open, snapshot, support, support::long, written};

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
    fn new(size: &str) -> Option<Self> {
        let folder = folder();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "larder-test"], folder.path())
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
    let Some(mounted) = Mounted::new("256k") else {
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

/// What cannot become smaller.
fn large(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(10_000).collect()
}

/// The entries that a process finds that begins when this one was killed; each is the one that was stored.
async fn left(of: &Path) -> Vec<u64> {
    let copy = snapshot(of);
    let cache = open(&copy);
    let mut left = Vec::new();
    for n in 0..100 {
        if let Some(value) = cache.get::<Vec<u8>>(&format!("k:{n}")).await.unwrap() {
            assert_eq!(value, large(n), "k:{n}");
            left.push(n);
        }
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_what_it_has_and_takes_more_when_there_is_room() {
    let Some(mounted) = Mounted::new("1m") else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    larder_warnings::listen();
    let (folder, others) = (mounted.0.path().join("cache"), mounted.0.path().join("others"));
    fs::write(&others, vec![1; 300 << 10]).unwrap();
    let cache = MemoryCache::builder().disk(&folder).disk_capacity(4 << 20).build().unwrap();
    let mut count = 0;
    while cache.stats().disk_failures == 0 && count < 100 {
        cache.insert(&format!("k:{count}"), &large(count), long()).await.unwrap();
        count += 1;
        written(&cache, count).await;
    }
    let stats = cache.stats();
    assert!(stats.disk_failures > 0 && stats.disk_dropped > 0, "{stats:?}");
    assert_eq!(stats.disk_stores + stats.disk_dropped, count, "each is counted as what became of it");
    let stored = left(&folder).await;
    assert!(stored.len() > 20, "{stored:?}");

    // What is invalidated finds room, if need be that of the oldest file.
    for n in (0..count).step_by(2) {
        assert!(matches!(cache.invalidate(format!("k:{n}")).await, Invalidation::Delivered(_)));
    }
    for n in 0..500 {
        assert!(matches!(cache.invalidate(format!("other:{n}")).await, Invalidation::Delivered(_)));
    }
    let odd = left(&folder).await;
    assert!(odd.len() > 5 && odd.iter().all(|n| n % 2 == 1 && stored.contains(n)), "{odd:?} of {stored:?}");

    fs::remove_file(others).unwrap();
    let before = cache.stats().disk_stores;
    let deadline = std::time::Instant::now() + LONG;
    while cache.stats().disk_stores == before {
        assert!(std::time::Instant::now() < deadline, "{:?}", cache.stats());
        cache.insert("k:99", &large(99), long()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(left(&folder).await.ends_with(&[99]));
    let path = folder.to_str().unwrap();
    assert_eq!(larder_warnings::heard(&["disk tier is full", path]).len(), 1);
    assert_eq!(larder_warnings::heard(&["cannot be used", path]).len(), 0);
}
