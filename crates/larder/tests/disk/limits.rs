//! How much is kept, and by whom.

use std::fs;

use larder::{CacheExt, MemoryCache};

use crate::{LONG, folder, get, on, open, segments, support::long, written};

const MIB: u64 = 1 << 20;

fn size(folder: &tempfile::TempDir) -> u64 {
    segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

fn noise(length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
}

#[tokio::test]
async fn it_stays_within_its_capacity_and_the_newest_stay() {
    let folder = folder();
    let cache = on(&folder).disk_capacity(2 * MIB).capacity(10).build().unwrap();
    for n in 0..400_u64 {
        // Eight MiB in all.
        cache.insert(&format!("n:{n}"), &noise(20_000), long()).await.unwrap();
        written(&cache, n + 1).await;
        assert!(size(&folder) <= 2 * MIB, "{} bytes", size(&folder));
    }
    drop(cache);
    assert!(size(&folder) <= 2 * MIB);
    let cache = on(&folder).disk_capacity(2 * MIB).build().unwrap();
    let mut found = 0;
    for n in 0..400 {
        let there = cache.contains(&format!("n:{n}")).await.unwrap();
        found += u64::from(there);
        assert!(n < 390 || there, "{n}");
    }
    assert!((50..105).contains(&found), "{found}");
}

/// One key that is written again and again drives no other one out.
#[tokio::test]
async fn what_is_replaced_takes_no_room() {
    let folder = folder();
    let cache = on(&folder).disk_capacity(2 * MIB).build().unwrap();
    for n in 0..20_u64 {
        cache.insert(&format!("n:{n}"), &n, long()).await.unwrap();
    }
    for n in 0..5_u64 {
        cache.insert(&format!("prefix:{n}"), &n, long()).await.unwrap();
    }
    for n in 0..300_u64 {
        cache.insert("again", &noise(20_000), long()).await.unwrap();
        written(&cache, n + 26).await;
        if n == 150 {
            cache.invalidate("n:3").await;
            cache.invalidate("prefix:*").await;
        }
    }
    assert!(size(&folder) <= 2 * MIB);
    drop(cache);
    let cache = on(&folder).disk_capacity(2 * MIB).build().unwrap();
    for n in 0..20 {
        let expected = if n == 3 { None } else { Some(n) };
        assert_eq!(get(&cache, &format!("n:{n}")).await, expected, "{n}");
        assert_eq!(get(&cache, &format!("prefix:{n}")).await, None, "{n}");
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_stays_in_memory() {
    let folder = folder();
    let cache = on(&folder).disk_capacity(MIB).build().unwrap();
    let value = noise(100_000);
    cache.insert("large", &value, long()).await.unwrap();
    cache.insert("small", &1_u64, long()).await.unwrap();
    assert!(cache.flush(LONG).await);
    assert_eq!((cache.stats().disk_dropped, cache.stats().disk_stores), (1, 1));
    assert_eq!(cache.get::<Vec<u8>>("large").await.unwrap(), Some(value));
}

#[tokio::test]
async fn a_folder_is_of_one_cache() {
    let folder = folder();
    let cache = open(&folder);
    let error = on(&folder).build().unwrap_err();
    assert!(error.is_invalid_configuration() && error.to_string().contains("in use"), "{error}");
    cache.insert("k", &1_u64, long()).await.unwrap();
    drop(cache);
    assert_eq!(get(&open(&folder), "k").await, Some(1));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused =
        |builder: larder::MemoryCacheBuilder| builder.build().unwrap_err().is_invalid_configuration();
    assert!(refused(MemoryCache::builder().disk("")));
    assert!(refused(MemoryCache::builder().disk_capacity(MIB)));
    assert!(refused(MemoryCache::builder().disk("x").disk_capacity(MIB - 1)));
}
