//! `#[cached_many]`: each element of a list is cached by itself.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "redis")]
mod leases;
mod options;
mod sets;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, cached, cached_many, invalidate};

use self::support::{Gate, in_time};

/// Names by number, and what was asked for.
#[derive(Default)]
struct Db {
    asked: Mutex<Vec<Vec<u64>>>,
    version: AtomicU64,
}

impl Db {
    fn name(&self, id: u64) -> String {
        format!("{id}.{}", self.version.load(Ordering::SeqCst))
    }

    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    async fn names(&self, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
        self.asked.lock().unwrap().push(ids.to_vec());
        tokio::task::yield_now().await;
        match ids.contains(&404) {
            true => Err("no connection".to_owned()),
            false => Ok(ids.iter().filter(|id| **id < 100).map(|id| (*id, self.name(*id))).collect()),
        }
    }
}

fn names(of: &[(u64, &str)]) -> HashMap<u64, String> {
    of.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}

#[cached(ttl = 60, key = "name:<id>", skip(cache, db), cache = cache)]
async fn name(cache: &MemoryCache, db: &Db, id: u64) -> Result<String, String> {
    db.names(&[id]).await?.remove(&id).ok_or_else(|| "not found".to_owned())
}

#[cached_many(ttl = 60, key = "name:<id>", each = id in ids, skip(cache, db), cache = cache)]
async fn all_names(cache: &MemoryCache, db: &Db, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
    db.names(ids).await
}

#[cached_many(
    ttl = 60,
    key = "name:<id>",
    each = id in ids,
    when = ids.len() < most,
    skip(cache, db, most),
    shared_key,
    cache = cache
)]
async fn few_names(
    cache: &MemoryCache,
    db: &Db,
    ids: &[u64],
    most: usize,
) -> Result<HashMap<u64, String>, String> {
    db.names(ids).await
}

#[tokio::test]
async fn a_call_can_go_without_the_cache() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    let both = Ok(names(&[(1, "1.0"), (2, "2.0")]));
    for most in [2, 2, 3, 3] {
        assert_eq!(few_names(&cache, &db, &[1, 2], most).await, both);
    }
    assert_eq!(db.asked(), [[1, 2], [1, 2], [1, 2]], "twice without it, and once for all");
    let stats = cache.stats();
    assert_eq!((stats.stores, stats.computations, stats.hits), (2, 1, 2));
}

#[tokio::test]
async fn one_call_computes_what_is_missing() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    let all = all_names(&cache, &db, &[1, 2, 1]).await;
    assert_eq!(all, Ok(names(&[(1, "1.0"), (2, "2.0")])));
    assert_eq!(db.asked(), [[1, 2]]);
    assert_eq!(all_names(&cache, &db, &[2, 3, 100]).await, Ok(names(&[(2, "2.0"), (3, "3.0")])));
    assert_eq!(db.asked(), [[3, 100]]);
    // What was not found is asked for again.
    assert_eq!(all_names(&cache, &db, &[3, 100]).await, Ok(names(&[(3, "3.0")])));
    assert_eq!(db.asked(), [[100]]);
    assert_eq!(all_names(&cache, &db, &[]).await, Ok(HashMap::new()));
    assert!(db.asked().is_empty());
}

#[tokio::test]
async fn keys_are_shared_with_the_function_of_one_element() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    assert_eq!(name(&cache, &db, 1).await.unwrap(), "1.0");
    all_names(&cache, &db, &[1, 2]).await.unwrap();
    assert_eq!(name(&cache, &db, 2).await.unwrap(), "2.0");
    assert_eq!(db.asked(), [[1], [2]]);
    assert_eq!(cache.stats().refused_keys, 0, "they are no two functions of one key");
}

#[tokio::test]
async fn a_failure_is_that_of_the_batch_and_not_kept() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    assert_eq!(all_names(&cache, &db, &[1, 404]).await.unwrap_err(), "no connection");
    all_names(&cache, &db, &[1]).await.unwrap();
    assert_eq!(db.asked(), [vec![1, 404], vec![1]]);
}

#[cached_many(ttl = 60, key = "ordered:<id>", each = id in ids, skip(cache, db), cache = cache)]
async fn in_order(cache: &MemoryCache, db: &Db, ids: &[u64]) -> Vec<String> {
    db.asked.lock().unwrap().push(ids.to_vec());
    let extra = usize::from(ids.contains(&13));
    ids.iter().skip(extra).map(|id| db.name(*id)).collect()
}

#[tokio::test]
async fn a_vec_has_the_order_of_the_list() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    assert_eq!(in_order(&cache, &db, &[5, 3]).await, ["5.0", "3.0"]);
    assert_eq!(in_order(&cache, &db, &[3, 9, 5, 3, 1]).await, ["3.0", "9.0", "5.0", "3.0", "1.0"]);
    assert_eq!(db.asked(), [[5, 3], [9, 1]]);
}

#[tokio::test]
async fn a_vec_of_another_length_is_a_panic_and_nothing_is_stored() {
    let (cache, db) = (MemoryCache::new(100), Arc::new(Db::default()));
    let task = tokio::spawn({
        let (cache, db) = (cache.clone(), db.clone());
        async move { in_order(&cache, &db, &[1, 13, 2]).await }
    });
    let panic = task.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("2 values of type `alloc::string::String` for 3 elements"), "{message}");
    assert!(!cache.contains("ordered:1").await.unwrap());
    assert_eq!(in_order(&cache, &db, &[1, 2]).await, ["1.0", "2.0"]);
}

#[cached_many(ttl = 60, negative_ttl = 60, key = "found:<id>", each = id in ids, skip(cache, db), cache = cache)]
async fn found(cache: &MemoryCache, db: &Db, ids: Vec<u64>) -> Result<Vec<Option<String>>, String> {
    let found = db.names(&ids).await?;
    Ok(ids.into_iter().map(|id| found.get(&id).cloned()).collect())
}

#[cached(ttl = 60, negative_ttl = 60, key = "found:<id>", skip(cache, db), cache = cache)]
async fn find(cache: &MemoryCache, db: &Db, id: u64) -> Option<String> {
    db.names(&[id]).await.ok()?.remove(&id)
}

#[tokio::test]
async fn options_are_kept_as_options() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    assert_eq!(found(&cache, &db, vec![100, 1]).await, Ok(vec![None, Some("1.0".to_owned())]));
    assert_eq!((find(&cache, &db, 100).await, find(&cache, &db, 1).await), (None, Some("1.0".to_owned())));
    assert_eq!(found(&cache, &db, vec![1, 100]).await, Ok(vec![Some("1.0".to_owned()), None]));
    assert_eq!(db.asked(), [[100, 1]]);
}

/// The one of each key that is computed first waits for the gate.
#[cached_many(ttl = 60, key = "gated:<id>", each = id in ids, skip(cache, db, gate), cache = cache)]
async fn gated(cache: MemoryCache, db: Arc<Db>, gate: Option<Gate>, ids: Vec<u64>) -> HashMap<u64, String> {
    let names = db.names(&ids).await.unwrap();
    if let Some(gate) = gate {
        gate.pass().await;
    }
    names
}

#[tokio::test]
async fn a_key_is_computed_once_across_batches_that_overlap() {
    let (cache, db, gate) = (MemoryCache::new(100), Arc::new(Db::default()), Gate::closed());
    let first = tokio::spawn(gated(cache.clone(), db.clone(), Some(gate.clone()), vec![1, 2, 3]));
    gate.until(1).await;
    let second = tokio::spawn(gated(cache.clone(), db.clone(), Some(gate.clone()), vec![2, 3, 4]));
    gate.until(2).await;
    gate.open();
    let (first, second) = (in_time(first).await.unwrap(), in_time(second).await.unwrap());
    assert_eq!(db.asked(), [vec![1, 2, 3], vec![4]]);
    assert_eq!((first.len(), second.len()), (3, 3));
    assert_eq!(cache.stats().joined, 2);
}

#[invalidate(gated(cache, 1))]
async fn change(cache: MemoryCache, db: &Db) {
    db.version.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test]
async fn a_batch_that_began_before_an_invalidation_does_not_store_over_it() {
    let (cache, db, gate) = (MemoryCache::new(100), Arc::new(Db::default()), Gate::closed());
    let older = tokio::spawn(gated(cache.clone(), db.clone(), Some(gate.clone()), vec![1, 2]));
    gate.until(1).await;
    change(cache.clone(), &db).await;
    assert_eq!(gated(cache.clone(), db.clone(), None, vec![1]).await, names(&[(1, "1.1")]));
    gate.open();
    assert_eq!(in_time(older).await.unwrap(), names(&[(1, "1.0"), (2, "2.0")]));
    // What was not invalidated is kept, and what was is the newer one.
    let now = gated(cache.clone(), db.clone(), None, vec![1, 2]).await;
    assert_eq!(now, names(&[(1, "1.1"), (2, "2.0")]));
    assert_eq!(db.asked(), [vec![1, 2], vec![1]]);
}

#[tokio::test]
async fn companions_are_those_of_one_element() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    all_names(&cache, &db, &[1, 2]).await.unwrap();
    assert_eq!(all_names::key(&cache, 1), name::key(&cache, 1));
    db.version.store(1, Ordering::SeqCst);
    all_names::invalidate(&cache, 1).await;
    assert_eq!(all_names(&cache, &db, &[1, 2]).await, Ok(names(&[(1, "1.1"), (2, "2.0")])));
    db.version.store(2, Ordering::SeqCst);
    db.asked();
    let fresh = all_names::refresh(&cache, &db, &[2, 3]).await;
    assert_eq!(fresh, Ok(names(&[(2, "2.2"), (3, "3.2")])));
    assert_eq!(all_names(&cache, &db, &[1, 2, 3]).await, Ok(names(&[(1, "1.1"), (2, "2.2"), (3, "3.2")])));
    assert_eq!(db.asked(), [[2, 3]]);
}

#[cached(ttl = 60, key = "greeting:<id>", skip(cache, db), cache = cache)]
async fn greeting(cache: &MemoryCache, db: &Db, id: u64) -> Result<String, String> {
    Ok(format!("Hello, {}", all_names(cache, db, &[id]).await?.remove(&id).unwrap_or_default()))
}

#[tokio::test]
async fn a_refresh_replaces_and_drops_what_is_gone() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    assert_eq!(greeting(&cache, &db, 1).await.unwrap(), "Hello, 1.0");
    db.version.store(1, Ordering::SeqCst);
    all_names::refresh(&cache, &db, &[1]).await.unwrap();
    assert_eq!(greeting(&cache, &db, 1).await.unwrap(), "Hello, 1.1", "what was computed from it goes too");

    cache.insert("name:100", &"gone".to_owned(), support::long()).await.unwrap();
    all_names::refresh(&cache, &db, &[100]).await.unwrap();
    assert!(!cache.contains("name:100").await.unwrap());
}

#[cached_many(ttl = 60, key = "length:<lang>:<text>", each = text in texts, skip(cache, runs), cache = cache, local)]
async fn lengths(
    cache: &MemoryCache,
    runs: &AtomicU64,
    lang: &str,
    texts: &[&str],
) -> HashMap<String, Arc<usize>> {
    let _ = lang;
    runs.fetch_add(1, Ordering::Relaxed);
    texts.iter().map(|text| ((*text).to_owned(), Arc::new(text.len()))).collect()
}

#[cached_many(ttl = 60, key = "tree:<n>", each = n in all)]
async fn tree(all: &BTreeSet<u8>) -> BTreeMap<u8, u8> {
    all.iter().map(|n| (*n, n + 1)).collect()
}

#[cached_many(ttl = 60, key = "set:<n>", each = n in all)]
async fn set(mut all: HashSet<String>) -> HashMap<String, usize> {
    all.drain().map(|text| (text.clone(), text.len())).collect()
}

#[tokio::test]
async fn lists_and_results_are_of_several_types() {
    let (cache, runs) = (MemoryCache::new(10), AtomicU64::new(0));
    let short = lengths(&cache, &runs, "en", &["a", "bc"]).await;
    assert_eq!((*short["a"], *short["bc"]), (1, 2));
    assert_eq!(lengths(&cache, &runs, "en", &["bc"]).await.len(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    lengths(&cache, &runs, "de", &["bc"]).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2, "the other arguments are in the key");
    assert_eq!(lengths::key(&cache, "en", "a:b"), "length:en:a%3Ab");

    assert_eq!(tree(&BTreeSet::from([1, 2])).await, BTreeMap::from([(1, 2), (2, 3)]));
    assert_eq!(set(HashSet::from(["ab".to_owned()])).await["ab"], 2);
    assert_eq!(set(HashSet::from(["ab".to_owned()])).await["ab"], 2);
}

struct Users {
    cache: MemoryCache,
    tenant: &'static str,
    db: Db,
}

#[async_trait::async_trait]
trait Load {
    async fn load(&self, ids: &[u64]) -> Result<HashMap<u64, String>, String>;
}

#[async_trait::async_trait]
impl Load for Users {
    #[cached_many(ttl = 60, key = "<self.tenant>:loaded:<id>", each = id in ids, cache = self.cache)]
    async fn load(&self, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
        self.db.names(ids).await
    }
}

impl Users {
    #[cached_many(ttl = 60, key = "<self.tenant>:<id>", each = id in ids, cache = self.cache, companions)]
    async fn names(&self, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
        self.db.names(ids).await
    }

    #[invalidate(self.names(id))]
    async fn rename(&self, id: u64) {
        self.db.version.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn methods_and_methods_of_traits() {
    let users = Users { cache: MemoryCache::new(10), tenant: "acme", db: Db::default() };
    users.names(&[1, 2]).await.unwrap();
    users.rename(1).await;
    assert_eq!(users.names(&[1, 2]).await, Ok(names(&[(1, "1.1"), (2, "2.0")])));
    assert_eq!(users.names_key(7), "acme:7");
    assert_eq!(users.load(&[1]).await, users.load(&[1]).await);
    assert_eq!(users.db.asked(), [vec![1, 2], vec![1], vec![1]]);
}

#[tokio::test]
async fn within_a_transaction_nothing_is_stored() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    all_names(&cache, &db, &[1]).await.unwrap();
    db.version.store(1, Ordering::SeqCst);
    let scope = larder::deferred();
    let seen = scope
        .run(async {
            all_names::invalidate(&cache, 1);
            all_names::refresh(&cache, &db, &[2]).await.unwrap();
            all_names(&cache, &db, &[1, 2]).await
        })
        .await;
    assert_eq!(seen, Ok(names(&[(1, "1.1"), (2, "2.1")])));
    scope.rollback();
    db.version.store(0, Ordering::SeqCst);
    assert_eq!(all_names(&cache, &db, &[1, 2]).await, Ok(names(&[(1, "1.0"), (2, "2.0")])));
}

#[cached_many(ttl = 60, key = "twice:<id>", each = id in ids, skip(cache), cache = cache)]
async fn first(cache: &MemoryCache, ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

#[cached_many(ttl = 60, key = "twice:<id>", each = id in ids, skip(cache), cache = cache)]
async fn second(cache: &MemoryCache, ids: &[u64]) -> Vec<u64> {
    ids.iter().map(|id| id + 1).collect()
}

#[tokio::test]
async fn two_batches_of_one_key_are_told_apart() {
    let cache = MemoryCache::new(100);
    assert_eq!(first(&cache, &[1]).await, [1]);
    assert_eq!(second(&cache, &[1]).await, [2]);
}

#[cached_many(ttl = 60, stale_if_error = 60, key = "stale:<id>", each = id in ids, skip(cache, db), cache = cache)]
async fn stale(cache: &MemoryCache, db: &Db, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
    match db.version.load(Ordering::SeqCst) {
        0 => db.names(ids).await,
        _ => Err("no connection".to_owned()),
    }
}

#[tokio::test]
async fn old_values_are_served_in_place_of_an_error() {
    let (cache, db) = (MemoryCache::new(100), Db::default());
    stale(&cache, &db, &[1, 2]).await.unwrap();
    db.version.store(1, Ordering::SeqCst);
    cache.core().advance(Duration::from_secs(61));
    assert_eq!(stale(&cache, &db, &[1, 2]).await, Ok(names(&[(1, "1.0"), (2, "2.0")])));
    cache.invalidate("stale:1").await;
    assert!(stale(&cache, &db, &[1, 2]).await.is_err(), "never one that was invalidated");
}
