//! Values that are made from hundreds and thousands of cached ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use larder::{CacheExt, MemoryCache, Policy, Scope};

use self::support::{dashboard::Done, in_time, long};

async fn user(cache: &MemoryCache, id: usize) -> Done<usize> {
    cache.get_or_compute(&format!("user:{id}"), long(), async || Ok(id)).await
}

/// A list of users, each read by itself.
async fn list(cache: &MemoryCache, key: &str, length: usize) -> Done<usize> {
    let compute = async || {
        let mut sum = 0;
        for id in 0..length {
            sum += user(cache, id).await?;
        }
        Ok(sum)
    };
    in_time(cache.get_or_compute(key, long(), compute)).await
}

async fn contains(cache: &MemoryCache, key: &str) -> bool {
    cache.contains(key).await.unwrap()
}

#[tokio::test]
async fn a_list_is_stored_and_goes_with_each_of_its_parts() {
    let cache = MemoryCache::new(20_000);
    for length in [1, 15, 16, 17, 56, 62, 63, 64, 100, 1_000, 4_000] {
        for part in [0, length / 2, length - 1] {
            list(&cache, "list", length).await.unwrap();
            assert!(contains(&cache, "list").await, "{length} users");
            cache.invalidate(format!("user:{length}"));
            cache.invalidate("other:*");
            assert!(contains(&cache, "list").await, "{length} users, something else was invalidated");
            cache.invalidate(format!("user:{part}"));
            assert!(!contains(&cache, "list").await, "{length} users, number {part} was invalidated");
        }
        for wide in [Scope::prefix("user"), Scope::all(), Scope::key("list")] {
            list(&cache, "list", length).await.unwrap();
            cache.invalidate(wide.clone());
            assert!(!contains(&cache, "list").await, "{length} users, {wide:?}");
        }
    }
    assert_eq!(cache.stats().stores_too_wide, 0);
}

/// However many changes there were since the last look: of so many as cover the entry, none is taken for another one.
#[tokio::test]
async fn after_any_number_of_changes() {
    let cache = MemoryCache::new(20_000);
    for (length, changes) in
        [(62, 1), (62, 50), (62, 61), (62, 70), (1_000, 999), (1_000, 1_100), (62, 4_095), (62, 5_000)]
    {
        let is_exact = changes <= length;
        let others: Vec<_> = (0..changes).map(|n| format!("other:{n}")).collect();
        let change = || others.iter().for_each(|other| drop(cache.invalidate(other)));
        list(&cache, "list", length).await.unwrap();
        change();
        assert!(!is_exact || contains(&cache, "list").await, "{length} users, {changes} changes");
        list(&cache, "list", length).await.unwrap();
        cache.invalidate("user:7");
        change();
        assert!(!contains(&cache, "list").await, "{length} users, {changes} changes");
        // Many in one call.
        list(&cache, "list", length).await.unwrap();
        cache.invalidate(&others[..]);
        assert!(!is_exact || contains(&cache, "list").await, "{length} users, {changes} changes at once");
        list(&cache, "list", length).await.unwrap();
        cache.invalidate(others.iter().map(String::as_str).chain(["user:9"]).collect::<Vec<_>>());
        assert!(!contains(&cache, "list").await, "{length} users, {changes} changes at once");
    }
}

#[tokio::test]
async fn a_page_of_lists_goes_with_each_of_their_parts() {
    let cache = MemoryCache::new(20_000);
    let compute = || async {
        let mut sum = 0;
        for number in 0..8 {
            sum += list(&cache, &format!("list:{number}"), 56 + number).await?;
        }
        Done::Ok(sum)
    };
    for part in ["user:0", "user:62", "list:3"] {
        cache.get_or_compute("page", long(), compute).await.unwrap();
        assert!(contains(&cache, "page").await);
        cache.invalidate(part);
        assert!(!contains(&cache, "page").await, "{part}");
    }
}

#[tokio::test]
async fn many_read_in_one_call() {
    let cache = MemoryCache::new(20_000);
    for length in [100, 4_000] {
        let keys: Vec<_> = (0..length).map(|id| format!("user:{id}")).collect();
        let compute = || async {
            let found = cache.get_many::<usize>(&keys).await.unwrap();
            Done::Ok(found.into_iter().flatten().count())
        };
        // Some are found and some are not; both count.
        for id in (0..length).step_by(2) {
            user(&cache, id).await.unwrap();
        }
        for part in [0, 1, length - 1] {
            cache.get_or_compute("batch", long(), compute).await.unwrap();
            assert!(contains(&cache, "batch").await, "{length} keys");
            cache.invalidate(format!("user:{part}"));
            assert!(!contains(&cache, "batch").await, "{length} keys, number {part}");
        }
    }
}

#[tokio::test]
async fn many_tags() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().ttl(Duration::from_secs(60)).tags((0..4_000).map(|n| format!("tag:{n}")));
    let policy = policy.build().unwrap();
    cache.insert("tagged", &1_u8, policy).await.unwrap();
    assert!(contains(&cache, "tagged").await);
    cache.invalidate(Scope::tag("tag:3999"));
    assert!(!contains(&cache, "tagged").await);
}

#[tokio::test]
async fn what_has_too_many_scopes_is_told_once() {
    larder_warnings::listen();
    let cache = MemoryCache::new(20_000);
    for round in 1..=3 {
        assert!(list(&cache, "list", 5_000).await.is_ok());
        assert!(!contains(&cache, "list").await);
        assert_eq!(cache.stats().stores_too_wide, round);
    }
    let told = larder_warnings::heard(&["limit=4096", "detached", "key=\"list\""]);
    assert_eq!(told.len(), 1, "{told:?}");
}
