//! Lists that are sets: which value is whose, whatever the order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use larder::{MemoryCache, cached, cached_many};

use super::support::{Gate, in_time};

#[cached(ttl = 60, key = "sorted:<id>", skip(cache, gate), cache = cache)]
async fn one(cache: MemoryCache, gate: Gate, id: u64) -> Result<u64, String> {
    gate.pass().await;
    Err(format!("not {id}"))
}

#[cached_many(ttl = 60, key = "sorted:<id>", each = id in ids, skip(cache), cache = cache)]
async fn sorted(cache: &MemoryCache, ids: &BTreeSet<u64>) -> Result<Vec<u64>, String> {
    Ok(ids.iter().copied().collect())
}

#[cached_many(ttl = 60, key = "spawned:<id>", each = id in ids, spawn, skip(cache), cache = cache)]
async fn sorted_in_a_task(cache: &MemoryCache, ids: BTreeSet<u64>) -> Vec<u64> {
    ids.into_iter().collect()
}

#[tokio::test]
async fn values_of_a_sorted_set_are_those_of_its_elements() {
    let (cache, gate) = (MemoryCache::new(100), Gate::closed());
    let failing = [9, 10].map(|id| tokio::spawn(one(cache.clone(), gate.clone(), id)));
    gate.until(2).await;
    let both = BTreeSet::from([9, 10]);
    // It waits for both, and computes them when they have failed: in the order of their keys.
    let open = async { gate.open() };
    let (values, ()) = in_time(async { tokio::join!(sorted(&cache, &both), open) }).await;
    assert_eq!(values, Ok(vec![9, 10]));
    for call in failing {
        assert!(in_time(call).await.expect("it does not panic").is_err());
    }
    assert_eq!(one(cache.clone(), gate, 9).await, Ok(9));
    assert_eq!(sorted_in_a_task(&cache, both.clone()).await, [9, 10]);
    assert_eq!(sorted_in_a_task(&cache, both).await, [9, 10]);
}

#[cached_many(ttl = 60, key = "unsorted:<id>", each = id in ids, skip(cache), cache = cache)]
async fn unsorted(cache: &MemoryCache, ids: HashSet<u64>) -> Result<BTreeMap<u64, u64>, String> {
    Ok(ids.into_iter().map(|id| (id, id)).collect())
}

#[cached_many(ttl = 60, key = "texts:<id>", each = id in ids, skip(cache), cache = cache)]
async fn of_texts(cache: &MemoryCache, ids: &HashSet<&str>) -> HashMap<String, usize> {
    ids.iter().map(|id| ((*id).to_owned(), id.len())).collect()
}

/// The same with a map whose keys are sorted.
#[cached_many(ttl = 60, key = "texts:<id>", each = id in ids, shared_key, skip(cache), cache = cache)]
async fn sorted_texts(cache: &MemoryCache, ids: &[&str]) -> BTreeMap<String, usize> {
    ids.iter().map(|id| ((*id).to_owned(), id.len())).collect()
}

#[tokio::test]
async fn maps_name_the_elements_of_any_set() {
    let cache = MemoryCache::new(100);
    let all = unsorted(&cache, (0..50).collect()).await;
    assert_eq!(all.map(|all| all.len()), Ok(50));
    assert_eq!(unsorted(&cache, HashSet::from([3])).await, Ok(BTreeMap::from([(3, 3)])));
    assert_eq!(of_texts(&cache, &HashSet::from(["a", "bc"])).await["bc"], 2);
    let sorted = sorted_texts(&cache, &["bc", "def"]).await;
    assert_eq!(sorted, BTreeMap::from([("bc".to_owned(), 2), ("def".to_owned(), 3)]));
}

/// The keys of what is returned may be borrowed: they are not stored.
#[cached_many(ttl = 60, key = "borrowed:<id>", each = id in ids, skip(cache), cache = cache)]
async fn borrowed<'i>(cache: &MemoryCache, ids: &[&'i str]) -> HashMap<&'i str, usize> {
    ids.iter().map(|id| (*id, id.len())).collect()
}

#[tokio::test]
async fn a_map_may_borrow_its_keys() {
    let (cache, text) = (MemoryCache::new(100), String::from("ab"));
    for _ in 0..2 {
        assert_eq!(borrowed(&cache, &[&text]).await[&*text], 2);
    }
}
