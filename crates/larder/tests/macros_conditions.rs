//! Lists and conditions: what `#[invalidate]` drops for each element, what it drops only then, and what is not stored.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, HashSet};

use larder::{CacheExt, MemoryCache, Policy, cached, invalidate};

async fn filled(keys: &[&str]) -> MemoryCache {
    let cache = MemoryCache::new(100);
    for key in keys {
        let mut policy = Policy::builder().ttl(std::time::Duration::from_secs(60));
        if let Some((_, id)) = key.rsplit_once(':') {
            policy = policy.tags([format!("tag:{id}")]);
        }
        cache.insert(key, &1_u8, policy.build().unwrap()).await.unwrap();
    }
    cache
}

async fn left(cache: &MemoryCache, keys: &[&str]) -> Vec<String> {
    let mut left = Vec::new();
    for key in keys {
        if cache.contains(key).await.unwrap() {
            left.push((*key).to_owned());
        }
    }
    left
}

#[derive(Clone)]
struct Order {
    id: u64,
    lines: Vec<Line>,
}

#[derive(Clone)]
struct Line {
    article: String,
}

const KEYS: [&str; 4] = ["order:1", "order:2", "order:3", "org:9:order"];

#[invalidate("order:<ids[]>", cache = cache)]
async fn by_slice(cache: &MemoryCache, ids: &[u64]) {
    let _ = (cache, ids);
}

#[invalidate("order:<orders[].id>", cache = cache)]
fn by_field(cache: &MemoryCache, orders: Vec<Order>) {
    drop((cache, orders));
}

#[invalidate("order:<result[].id>", cache = cache)]
async fn by_result(cache: &MemoryCache, org: u64) -> Result<Vec<Order>, String> {
    let _ = cache;
    if org == 0 {
        return Err("no".to_owned());
    }
    Ok([1, 3].map(|id| Order { id, lines: Vec::new() }).to_vec())
}

#[invalidate("org:<org>:<result[].lines.len()>:*", tags = ["tag:<result[].id>"], cache = cache)]
async fn by_prefix_and_tag(cache: &MemoryCache, org: String) -> Option<Vec<Order>> {
    let _ = cache;
    let line = Line { article: org };
    Some(vec![Order { id: 2, lines: vec![line; 2] }])
}

#[invalidate("order:<order.lines[].article.len()>", cache = cache)]
fn by_nested_field(cache: &MemoryCache, order: &Order) {
    let _ = (cache, order);
}

#[invalidate("order:<set[]>", "order:<map[].0>", "order:<one[]>", cache = cache)]
fn by_other_collections(cache: &MemoryCache, set: HashSet<u8>, map: BTreeMap<u8, u8>, one: Option<u8>) {
    drop((cache, set, map, one));
}

#[tokio::test]
async fn each_element_of_a_list_is_a_key() {
    let cache = filled(&KEYS).await;
    by_slice(&cache, &[1, 3]).await;
    assert_eq!(left(&cache, &KEYS).await, ["order:2", "org:9:order"]);
    by_slice(&cache, &[]).await;
    assert_eq!(left(&cache, &KEYS).await, ["order:2", "org:9:order"]);

    let cache = filled(&KEYS).await;
    by_field(&cache, vec![Order { id: 2, lines: Vec::new() }]);
    assert_eq!(left(&cache, &KEYS).await, ["order:1", "order:3", "org:9:order"]);

    let cache = filled(&KEYS).await;
    assert!(by_result(&cache, 0).await.is_err());
    assert_eq!(left(&cache, &KEYS).await, KEYS, "a failure names none");
    assert_eq!(by_result(&cache, 1).await.unwrap().len(), 2);
    assert_eq!(left(&cache, &KEYS).await, ["order:2", "org:9:order"]);

    let keys = ["org:a:2:x", "org:a:3:x", "order:1", "order:2"];
    let cache = filled(&keys).await;
    by_prefix_and_tag(&cache, "a".to_owned()).await;
    assert_eq!(left(&cache, &keys).await, ["org:a:3:x", "order:1"]);

    let cache = filled(&KEYS).await;
    let lines = ["a", "abc"].map(|article| Line { article: article.to_owned() }).to_vec();
    by_nested_field(&cache, &Order { id: 0, lines });
    assert_eq!(left(&cache, &KEYS).await, ["order:2", "org:9:order"]);

    let cache = filled(&KEYS).await;
    by_other_collections(&cache, HashSet::from([1]), BTreeMap::from([(2, 0)]), Some(3));
    assert_eq!(left(&cache, &KEYS).await, ["org:9:order"]);
}

#[invalidate("order:1", "order:<result>", if = *result > 0, cache = cache)]
async fn affected(cache: &MemoryCache, rows: u64) -> Result<u64, String> {
    let _ = cache;
    if rows > 10 { Err("too many".to_owned()) } else { Ok(rows) }
}

#[invalidate("order:1", if = !dry_run, cache = cache)]
fn unless_dry(cache: &MemoryCache, dry_run: bool, name: String) -> Result<(), String> {
    let _ = cache;
    Err(name)
}

/// An argument is what it is called.
#[invalidate("order:1", if = result.is_some(), cache = cache)]
async fn named_result(cache: &MemoryCache, result: Option<u8>) {
    let _ = (cache, result);
}

#[tokio::test]
async fn a_condition_decides() {
    let cache = filled(&KEYS).await;
    affected(&cache, 0).await.unwrap();
    assert_eq!(left(&cache, &KEYS).await, KEYS);
    affected(&cache, 2).await.unwrap();
    assert_eq!(left(&cache, &KEYS).await, ["order:3", "org:9:order"]);

    let cache = filled(&KEYS).await;
    affected(&cache, 11).await.unwrap_err();
    assert_eq!(left(&cache, &KEYS).await, KEYS[1..], "after a failure it is not known");

    let cache = filled(&KEYS).await;
    unless_dry(&cache, true, "x".to_owned()).unwrap_err();
    assert_eq!(left(&cache, &KEYS).await, KEYS);
    unless_dry(&cache, false, "x".to_owned()).unwrap_err();
    assert_eq!(left(&cache, &KEYS).await, KEYS[1..]);

    let cache = filled(&KEYS).await;
    named_result(&cache, None).await;
    assert_eq!(left(&cache, &KEYS).await, KEYS);
    named_result(&cache, Some(1)).await;
    assert_eq!(left(&cache, &KEYS).await, KEYS[1..]);
}

#[cached(ttl = 60, key = "found:<id>", cache = cache, skip(cache), unless = |found| found.is_empty())]
async fn found(cache: &MemoryCache, id: usize) -> Result<Vec<u8>, String> {
    Ok(vec![1; id])
}

#[cached(ttl = 60, key = "here:<id>", cache = cache, skip(cache), unless = |found: &Vec<u8>| found.is_empty())]
fn found_here(cache: &MemoryCache, id: usize) -> Vec<u8> {
    vec![1; id]
}

#[cached(ttl = 60, key = "task:<id>", cache = cache, skip(cache), spawn, unless = Vec::is_empty)]
async fn found_in_a_task(cache: &MemoryCache, id: usize) -> Vec<u8> {
    vec![1; id]
}

#[tokio::test]
async fn a_value_that_is_picked_out_is_not_stored() {
    let cache = MemoryCache::new(100);
    for id in [0, 1, 0, 1] {
        assert_eq!(found(&cache, id).await.unwrap().len(), id);
        assert_eq!(found_here(&cache, id).len(), id);
        assert_eq!(found_in_a_task(&cache, id).await.len(), id);
    }
    let stats = cache.stats();
    assert_eq!((stats.computations, stats.hits, stats.stores), (9, 3, 3));
}
