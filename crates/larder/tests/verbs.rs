//! The typed verbs, one by one.

mod support;

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use async_trait::async_trait;
use larder::{
    Cache, CacheExt, Core, Entry, Epoch, Invalidating, Invalidation, Lookup, MemoryCache, Policy, Scope,
    Storage, ValueType,
};
use serde::{Deserialize, Serialize};

use self::support::{long, secs};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    roles: Vec<String>,
    settings: BTreeMap<String, Option<f64>>,
}

fn user() -> User {
    User {
        name: "Ada".into(),
        roles: vec!["admin".into(), String::new()],
        settings: BTreeMap::from([("a".into(), None), ("b".into(), Some(0.1))]),
    }
}

#[tokio::test]
async fn what_is_inserted_is_found() {
    let cache = MemoryCache::new(10);
    assert_eq!(cache.get::<User>("user").await.unwrap(), None);
    cache.insert("user", &user(), long()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(cache.get("user").await.unwrap(), Some(user()));
    }
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.hits, stats.stores), (1, 3, 1));
}

#[tokio::test]
async fn an_insert_replaces() {
    let cache = MemoryCache::new(10);
    for n in 0..10 {
        cache.insert("key", &n, long()).await.unwrap();
        assert_eq!(cache.get("key").await.unwrap(), Some(n));
    }
}

#[tokio::test]
async fn clones_are_the_same_cache() {
    let cache = MemoryCache::new(10);
    let (clone, shared) = (cache.clone(), cache.share());
    cache.insert("key", &1, long()).await.unwrap();
    assert_eq!(clone.get("key").await.unwrap(), Some(1));
    shared.invalidate("key");
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
    assert!(cache.core().same_cache(shared.core()));
    assert!(!cache.core().same_cache(MemoryCache::new(10).core()));
}

#[tokio::test]
async fn many_values_at_once() {
    let cache = MemoryCache::new(100);
    cache.insert_many(&[("a", 1), ("b", 2)], long()).await.unwrap();
    let found = cache.get_many(&["b", "none", "a", "b"]).await.unwrap();
    assert_eq!(found, [Some(2), None, Some(1), Some(2)]);
    assert_eq!(cache.get_many::<i32>(&[] as &[&str]).await.unwrap(), []);
    cache.insert_many(&[("c", 1), ("d", 2), ("c", 3)], long()).await.unwrap();
    assert_eq!(cache.get("c").await.unwrap(), Some(3), "the last one of a key counts");
}

#[tokio::test]
async fn what_a_read_of_another_type_finds_is_a_miss() {
    larder_warnings::listen();
    let cache = MemoryCache::new(10);
    cache.insert("two types", &1_u32, long()).await.unwrap();
    cache.get::<u32>("two types").await.unwrap();
    assert_eq!(cache.get::<u64>("two types").await.unwrap(), None);
    assert_eq!(cache.get::<Option<u32>>("two types").await.unwrap(), None);
    assert_eq!(cache.stats().type_mismatches, 2);
    assert_eq!(cache.get("two types").await.unwrap(), Some(1_u32), "it does no harm");

    let text =
        cache.get_or_compute("two types", long(), async || Ok::<_, Infallible>("text".to_owned())).await;
    assert_eq!(text.unwrap(), "text");
    assert_eq!(cache.stats().type_mismatches, 3, "one read, one mismatch");
    assert_eq!(cache.get::<u32>("two types").await.unwrap(), None, "replaced");
    assert_eq!(larder_warnings::heard(&["another type", "two types"]).len(), 1, "said once");
}

#[tokio::test]
async fn each_scope_covers_what_it_says() {
    let cache = MemoryCache::new(100);
    let keys = ["a", "a:", "a:b", "a:b:c", "ab", "ab:c", "b:a:b", "*", "a:*", ":a"];
    let left = async |scope: Scope| {
        for key in keys {
            let policy = Policy::builder().ttl(secs(60)).tag(format!("tag {key}")).build().unwrap();
            cache.insert(key, &1, policy).await.unwrap();
        }
        cache.invalidate(scope);
        let mut left = Vec::new();
        for key in keys {
            if cache.contains(key).await.unwrap() {
                left.push(key);
            }
        }
        left
    };
    let all_but = |gone: &[&str]| Vec::from_iter(keys.into_iter().filter(|key| !gone.contains(key)));
    assert_eq!(left(Scope::key("a")).await, all_but(&["a"]));
    assert_eq!(left(Scope::key("a:*")).await, all_but(&["a:*"]));
    assert_eq!(left(Scope::prefix("a")).await, all_but(&["a:", "a:b", "a:b:c", "a:*"]));
    assert_eq!(left(Scope::prefix("a:b")).await, all_but(&["a:b:c"]));
    assert_eq!(left(Scope::prefix("b:a")).await, all_but(&["b:a:b"]));
    assert_eq!(left(Scope::prefix("c")).await, all_but(&[]));
    assert_eq!(left(Scope::tag("tag ab")).await, all_but(&["ab"]));
    assert_eq!(left(Scope::tag("a")).await, all_but(&[]));
    assert_eq!(left(Scope::all()).await, all_but(&keys));
}

#[tokio::test]
async fn text_is_a_key_or_a_pattern() {
    let cache = MemoryCache::new(100);
    for (text, gone) in [
        ("a:b", vec!["a:b"]),
        ("a:*", vec!["a:b", "a:c:d"]),
        ("*", vec!["a:b", "a:c:d", "e"]),
        ("a:c*", vec!["a:b", "a:c:d"]),
        ("a:*:d", vec!["a:b", "a:c:d"]),
        ("e*", vec!["a:b", "a:c:d", "e"]),
    ] {
        let keys = ["a:b", "a:c:d", "e"];
        cache.insert_many(&keys.map(|key| (key, 1)), long()).await.unwrap();
        cache.invalidate(text);
        for key in keys {
            assert_eq!(!cache.contains(key).await.unwrap(), gone.contains(&key), "{text} and {key}");
        }
    }
}

#[tokio::test]
async fn several_scopes_in_every_form() {
    let cache = MemoryCache::new(100);
    let all = [("a", 1), ("b", 1), ("c:d", 1), ("e", 1)];
    let left = async || {
        let found = cache.get_many::<i32>(&all.map(|(key, _)| key)).await.unwrap();
        cache.insert_many(&all, long()).await.unwrap();
        found.iter().flatten().count()
    };
    left().await;
    cache.invalidate(["a", "c:*"]);
    assert_eq!(left().await, 2);
    cache.invalidate(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(left().await, 2);
    cache.invalidate(&["a", "b", "e"][..]);
    assert_eq!(left().await, 1);
    cache.invalidate([Scope::key("a"), Scope::prefix("c")]);
    assert_eq!(left().await, 2);
    let scope = Scope::key("a");
    cache.invalidate(&scope);
    assert_eq!(left().await, 3);
    cache.invalidate(Vec::<&str>::new());
    assert_eq!(left().await, 4);
}

#[tokio::test]
async fn an_invalidation_in_memory_is_delivered_at_once_and_cannot_be_taken_back() {
    let cache = MemoryCache::new(10);
    assert_eq!(cache.invalidate("key").await, Invalidation::Delivered(Epoch::ZERO));
    cache.insert("key", &1, long()).await.unwrap();
    drop(cache.invalidate("key"));
    assert!(!cache.contains("key").await.unwrap());
    assert_eq!(cache.stats().invalidations, 2);
}

#[tokio::test]
async fn an_invalidated_entry_that_is_still_there_is_counted_when_it_is_read() {
    let cache = MemoryCache::new(10);
    for verb in 0..2 {
        cache.insert("a:key", &1, long()).await.unwrap();
        cache.invalidate("a:*");
        let before = cache.stats().invalidated_reads;
        match verb {
            0 => assert_eq!(cache.get::<i32>("a:key").await.unwrap(), None),
            _ => drop(cache.get_or_compute("a:key", long(), async || Ok::<_, Infallible>(1)).await),
        }
        assert_eq!(cache.stats().invalidated_reads - before, 1, "verb {verb}");
    }
}

#[tokio::test]
async fn insert_since_yields_to_an_invalidation() {
    let cache = MemoryCache::new(10);
    let tagged = Policy::builder().ttl(secs(60)).tag("tag").build().unwrap();
    for scope in [Scope::key("a:b"), Scope::prefix("a"), Scope::tag("tag"), Scope::all()] {
        cache.insert("a:b", &0, &tagged).await.unwrap();
        let since = cache.begin();
        cache.invalidate(scope);
        cache.insert_since(since, "a:b", &1, &tagged).await.unwrap();
        assert_eq!(cache.get::<i32>("a:b").await.unwrap(), None);
    }
    assert_eq!(cache.stats().stores_outdated, 4);
    let since = cache.begin();
    cache.invalidate("a:c");
    cache.insert_since(since, "a:b", &1, &tagged).await.unwrap();
    assert_eq!(cache.get("a:b").await.unwrap(), Some(1));
}

#[tokio::test]
async fn insert_since_yields_to_another_insert() {
    let cache = MemoryCache::new(10);
    let since = cache.begin();
    cache.insert("key", &1, long()).await.unwrap();
    cache.insert_since(since, "key", &2, long()).await.unwrap();
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None, "it is not known which of the two is newer");
}

#[tokio::test]
async fn a_value_counts_as_read_when_the_insert_is_called() {
    let cache = MemoryCache::new(10);
    let one = cache.insert("a", &1, long());
    let values = [("b", 1), ("c", 1)];
    let many = cache.insert_many(&values, long());
    cache.invalidate(["a", "c"]);
    one.await.unwrap();
    many.await.unwrap();
    assert_eq!(cache.get_many(&["a", "b", "c"]).await.unwrap(), [None, Some(1), None]);
}

#[tokio::test]
async fn contains_and_remaining_ttl_see_every_type_and_count_no_read() {
    let cache = MemoryCache::new(10);
    cache.insert("key", &user(), Policy::ttl(secs(60))).await.unwrap();
    assert!(cache.contains("key").await.unwrap() && !cache.contains("none").await.unwrap());
    let remaining = cache.remaining_ttl("key").await.unwrap().unwrap();
    assert!(remaining <= secs(60) && remaining > secs(50), "{remaining:?}");
    assert_eq!(cache.remaining_ttl("none").await.unwrap(), None);
    cache.invalidate("*");
    assert!(!cache.contains("key").await.unwrap());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}

#[tokio::test]
async fn keys_have_a_length() {
    let cache = MemoryCache::new(10);
    let (longest, too_long) = ("k".repeat(65_536), "k".repeat(65_537));
    cache.insert(&longest, &1, long()).await.unwrap();
    assert_eq!(cache.get(&longest).await.unwrap(), Some(1));
    for key in ["", &too_long] {
        assert!(cache.get::<i32>(key).await.unwrap_err().is_invalid_key());
        assert!(cache.get_many::<i32>(&["a", key]).await.unwrap_err().is_invalid_key());
        assert!(cache.contains(key).await.unwrap_err().is_invalid_key());
        assert!(cache.remaining_ttl(key).await.unwrap_err().is_invalid_key());
        assert!(cache.insert(key, &1, long()).await.unwrap_err().is_invalid_key());
        assert!(cache.insert_since(cache.begin(), key, &1, long()).await.unwrap_err().is_invalid_key());
        assert!(cache.increment(key, 1, None).await.unwrap_err().is_invalid_key());
        assert!(cache.counter(key).await.unwrap_err().is_invalid_key());
        let many = cache.insert_many(&[("first", 1), (key, 1)], long()).await;
        assert!(many.unwrap_err().is_invalid_key());
        assert!(!cache.contains("first").await.unwrap(), "all or nothing");
        let computed = cache.get_or_compute(key, long(), async || Ok::<_, Infallible>(1)).await;
        assert_eq!(computed, Ok(1));
        let compute = || async { Ok::<_, Infallible>(1) };
        assert_eq!(cache.get_or_compute_shared(key, long(), compute).await, Ok(1));
        assert_eq!(cache.get_or_compute_background(key, long(), compute).await, Ok(1));
        cache.invalidate(key);
    }
    assert_eq!(cache.stats().refused_keys, 6);
}

#[tokio::test]
async fn keys_are_taken_as_they_are() {
    let cache = MemoryCache::new(100);
    let keys = ["ä", "a\0b", "a\nb", " ", "%3A", ":", "::", "🦀:🦀", "a b", "{x}", "<id>"];
    for (n, key) in keys.iter().enumerate() {
        cache.insert(key, &n, long()).await.unwrap();
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(cache.get(key).await.unwrap(), Some(n), "{key:?}");
    }
    cache.invalidate("🦀:*");
    assert!(!cache.contains("🦀:🦀").await.unwrap() && cache.contains("ä").await.unwrap());
}

#[tokio::test]
async fn all_verbs_work_on_a_trait_object() {
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(10));
    let cache: &dyn Cache = &cache;
    cache.insert("key", &1, long()).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(1));
    assert_eq!(cache.get_or_compute("two", long(), async || Ok::<_, Infallible>(2)).await, Ok(2));
    let background = cache.get_or_compute_background("three", long(), || async { Ok::<_, Infallible>(3) });
    assert_eq!(background.await, Ok(3));
    cache.namespace("a").insert("b", &4, long()).await.unwrap();
    assert_eq!(cache.get("a:b").await.unwrap(), Some(4));
    assert_eq!(cache.increment("counter", 5, None).await.unwrap(), 5);
    cache.invalidate("*").await;
    assert!(!cache.contains("a:b").await.unwrap());
}

#[tokio::test]
async fn the_hit_ratio_is_the_share_of_answered_reads() {
    let cache = MemoryCache::new(10);
    assert!(cache.stats().hit_ratio().abs() < f64::EPSILON);
    cache.insert("key", &1, long()).await.unwrap();
    for key in ["key", "key", "key", "none"] {
        cache.get::<i32>(key).await.unwrap();
    }
    assert!((cache.stats().hit_ratio() - 0.75).abs() < f64::EPSILON);
    let named: BTreeMap<_, _> = cache.stats().iter().collect();
    assert_eq!((named["hits"], named["misses"]), (3, 1));
}

/// Values of one call do not count as changes for each other, although some of their keys share a slot.
#[tokio::test]
async fn a_large_insert_many_stores_everything() {
    let cache = MemoryCache::new(200_000);
    let values: Vec<_> = (0..50_000).map(|n| (format!("key{n}"), n)).collect();
    cache.insert_many(&values, long()).await.unwrap();
    let stats = cache.stats();
    assert_eq!((stats.stores, stats.stores_outdated), (50_000, 0));
}

#[test]
fn the_scopes_of_an_invalidation_may_be_made_by_invalidating() {
    let core = Core::builder().build();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let scopes = [Scope::key("a").hash(), Scope::key("b").hash()];
        core.apply(scopes.into_iter().inspect(|scope| core.apply([*scope])));
        done.send(()).unwrap();
    });
    ended.recv_timeout(secs(20)).expect("the iterator runs under a lock");
}

/// A memory with something behind it that is slow: a value is inserted while it is asked.
#[derive(Clone)]
struct Slow(MemoryCache);

support::cache_around_memory!(Slow);

#[async_trait]
impl Storage for Slow {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.0.storage().peek(at)
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], _: ValueType) -> Vec<Option<Entry>> {
        for at in keys {
            self.0.insert(at.key, &7, long()).await.expect("nothing refuses it");
        }
        vec![None; keys.len()]
    }

    async fn write(&self, entries: &[Entry]) -> larder::Result<()> {
        self.0.storage().write(entries).await
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        self.0.storage().apply(scopes)
    }
}

#[tokio::test]
async fn what_is_inserted_while_more_is_read_is_not_computed() {
    let cache = Slow(MemoryCache::new(10));
    let computed = cache.get_or_compute("a", long(), async || Ok::<_, Infallible>(1)).await;
    assert_eq!(computed, Ok(7));
    let compute = async |ids: Vec<u8>| Ok::<_, Infallible>(ids.into_iter().map(|id| (id, 1)).collect());
    let computed = cache.get_or_compute_many([3], |id| format!("id:{id}"), long(), compute).await;
    assert_eq!(computed, Ok([(3, 7)].into()));
    assert_eq!(cache.stats().computations, 0);
}

/// `tokio::time` panics there.
#[test]
fn a_lock_that_is_held_is_waited_for_in_a_runtime_without_timers() {
    let cache = MemoryCache::new(10);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let held = cache.lock("l", secs(60)).await.unwrap();
        let first = held.fencing_token();
        let (second, ()) = tokio::join!(cache.lock("l", secs(60)), async { drop(held) });
        assert!(second.unwrap().fencing_token() > first);
    });
}
