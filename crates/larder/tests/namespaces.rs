//! A part of a cache, by the prefix of its keys.

mod support;

use std::convert::Infallible;

use larder::{Cache, CacheExt, MemoryCache, Namespace, Policy, Scope};

use self::support::{long, secs};

#[tokio::test]
async fn an_entry_of_a_namespace_is_that_entry_of_the_cache() {
    let cache = MemoryCache::new(100);
    let users = cache.namespace("users");
    users.insert("7", &"Ada".to_owned(), long()).await.unwrap();
    assert_eq!(cache.get::<String>("users:7").await.unwrap().as_deref(), Some("Ada"));
    cache.insert("users:8", &"Bob".to_owned(), long()).await.unwrap();
    let found = users.get_many::<String>(&["7", "8", "9"]).await.unwrap();
    assert_eq!(found, [Some("Ada".into()), Some("Bob".into()), None]);
    assert!(users.contains("8").await.unwrap() && !users.contains("users:8").await.unwrap());
    assert_eq!((users.prefix(), cache.prefix()), ("users:", ""));
    assert!(users.core().same_cache(cache.core()));
}

#[tokio::test]
async fn every_verb_works_inside() {
    let cache = MemoryCache::new(100);
    let inside = cache.namespace("in");
    let compute = || async { Ok::<_, Infallible>(1) };
    inside.get_or_compute("a", long(), compute).await.unwrap();
    inside.get_or_compute_shared("b", long(), compute).await.unwrap();
    inside.get_or_compute_background("c", long(), compute).await.unwrap();
    let many = async |missing: Vec<&'static str>| {
        Ok::<_, Infallible>(missing.into_iter().map(|key| (key, 1)).collect())
    };
    inside.get_or_compute_many(["d", "e"], |key| (*key).to_owned(), long(), many).await.unwrap();
    inside.insert_many(&[("f", 1), ("g", 1)], long()).await.unwrap();
    inside.insert_since(inside.begin(), "h", &1, long()).await.unwrap();
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| format!("in:{key}"));
    assert_eq!(cache.get_many(&keys).await.unwrap(), [Some(1); 8]);
    inside.share().invalidate("a");
    assert!(!cache.contains("in:a").await.unwrap() && cache.contains("in:b").await.unwrap());
}

#[tokio::test]
async fn an_invalidation_stays_inside() {
    let cache = MemoryCache::new(100);
    let inside = cache.namespace("in");
    let left = async |scope: Scope| {
        let keys = ["in:a", "in:b:c", "a", "b:c", "inner:a"];
        cache.insert_many(&keys.map(|key| (key, 1)), long()).await.unwrap();
        inside.invalidate(scope);
        let found = cache.get_many::<i32>(&keys).await.unwrap();
        keys.into_iter().zip(found).filter_map(|(key, found)| found.map(|_| key)).collect::<Vec<_>>()
    };
    assert_eq!(left(Scope::key("a")).await, ["in:b:c", "a", "b:c", "inner:a"]);
    assert_eq!(left(Scope::prefix("b")).await, ["in:a", "a", "b:c", "inner:a"]);
    assert_eq!(left(Scope::all()).await, ["a", "b:c", "inner:a"]);
    for pattern in ["*", "nothing*"] {
        cache.insert("in:a", &1, long()).await.unwrap();
        cache.insert("a", &1, long()).await.unwrap();
        inside.invalidate(pattern);
        assert_eq!(cache.get_many::<i32>(&["in:a", "a"]).await.unwrap(), [None, Some(1)]);
    }
}

#[tokio::test]
async fn tags_belong_to_the_cache() {
    let cache = MemoryCache::new(100);
    let (one, two) = (cache.namespace("one"), cache.namespace("two"));
    let tagged = Policy::builder().ttl(secs(60)).tag("tag").build().unwrap();
    one.insert("a", &1, &tagged).await.unwrap();
    two.invalidate(Scope::tag("tag"));
    assert!(!one.contains("a").await.unwrap());
}

#[tokio::test]
async fn a_bump_drops_all_of_it_and_nothing_else() {
    let cache = MemoryCache::new(100);
    let users = cache.namespace("users");
    users.insert_many(&[("a", 1), ("b:c", 2)], long()).await.unwrap();
    cache.insert("other", &1, long()).await.unwrap();
    let before = users.version();
    assert_eq!((before.schema, before.change), (None, 0));
    drop(users.bump());
    assert_eq!(users.get_many::<i32>(&["a", "b:c"]).await.unwrap(), [None, None]);
    assert!(cache.contains("other").await.unwrap());
    let after = users.version();
    assert!(after.change > before.change);
    assert_eq!(cache.namespace("users").version(), after, "whichever handle asks");
    users.insert("a", &1, long()).await.unwrap();
    assert!(users.contains("a").await.unwrap());
    assert_eq!(users.version(), after);
    cache.invalidate("users:*");
    assert!(users.version().change > after.change, "that is the same thing");
}

#[tokio::test]
async fn a_schema_is_a_part_of_the_prefix() {
    let cache = MemoryCache::new(100);
    let users = cache.namespace("users");
    let (two, three) = (users.clone().schema(2), users.clone().schema(3));
    assert_eq!((two.prefix(), three.version().schema), ("users:v2:", Some(3)));
    two.insert("a", &2, long()).await.unwrap();
    assert!(!three.contains("a").await.unwrap());
    three.insert("a", &3, long()).await.unwrap();
    assert_eq!(cache.get_many(&["users:v2:a", "users:v3:a"]).await.unwrap(), [Some(2), Some(3)]);
    two.invalidate("*");
    assert_eq!(cache.get_many(&["users:v2:a", "users:v3:a"]).await.unwrap(), [None, Some(3)]);
    two.insert("a", &2, long()).await.unwrap();
    two.bump();
    assert_eq!(cache.get_many::<i32>(&["users:v2:a", "users:v3:a"]).await.unwrap(), [None, None]);
}

#[tokio::test]
async fn they_nest() {
    let cache = MemoryCache::new(100);
    let outer = cache.namespace("outer").schema(1);
    let inner: Namespace = outer.namespace("inner").schema(2);
    assert_eq!(inner.prefix(), "outer:v1:inner:v2:");
    inner.insert("a", &1, long()).await.unwrap();
    outer.insert("a", &1, long()).await.unwrap();
    assert_eq!(cache.get("outer:v1:inner:v2:a").await.unwrap(), Some(1));
    inner.bump();
    assert!(!inner.contains("a").await.unwrap() && outer.contains("a").await.unwrap());
    inner.insert("a", &1, long()).await.unwrap();
    outer.invalidate("inner:*");
    assert!(!inner.contains("a").await.unwrap());
    inner.insert("a", &1, long()).await.unwrap();
    outer.bump();
    assert!(!inner.contains("a").await.unwrap() && !outer.contains("a").await.unwrap());
}

#[tokio::test]
async fn what_is_computed_from_a_namespace_goes_with_it() {
    let cache = MemoryCache::new(100);
    let users = cache.namespace("users");
    for name in ["users", "other"] {
        let compute = || async { Ok::<_, Infallible>(users.contains("a").await.unwrap()) };
        cache.get_or_compute("copy", long(), compute).await.unwrap();
        cache.namespace(name).bump();
        assert_eq!(cache.contains("copy").await.unwrap(), name == "other");
    }
}
