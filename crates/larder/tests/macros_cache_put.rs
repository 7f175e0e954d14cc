//! `#[cache_put]`: what it stores, and what a failure leaves behind.

use std::time::Duration;

use larder::{CacheExt, MemoryCache, Policy, Scope, cache_put, cached};

const POLICY: Policy = Policy::ttl(Duration::from_secs(60));

#[cached(ttl = 60, key = "user:<id>", cache = cache, skip(cache))]
async fn user(cache: &MemoryCache, id: u64) -> Result<String, String> {
    let _ = (cache, id);
    Ok("computed".to_owned())
}

#[cache_put(ttl = "1m", key = "user:<id>", cache = cache, tags = ["named:<name>"])]
async fn save(cache: &MemoryCache, id: u64, name: String) -> Result<String, String> {
    let _ = cache;
    if name.is_empty() {
        return Err("a name is needed".to_owned());
    }
    Ok(name)
}

#[tokio::test]
async fn a_result_is_stored_for_readers() {
    let cache = MemoryCache::new(10);
    assert_eq!(save(&cache, 1, "Ann".to_owned()).await.as_deref(), Ok("Ann"));
    assert_eq!(user(&cache, 1).await.as_deref(), Ok("Ann"));
    cache.invalidate(Scope::tag("named:Ann")).await;
    assert_eq!(user(&cache, 1).await.as_deref(), Ok("computed"));
}

#[tokio::test]
async fn a_failure_drops_the_entry() {
    let cache = MemoryCache::new(10);
    save(&cache, 1, "Ann".to_owned()).await.unwrap();
    assert!(save(&cache, 1, String::new()).await.is_err());
    assert!(!cache.contains("user:1").await.unwrap());
}

#[cache_put(ttl = 60, key = "k", cache = cache)]
async fn panics(cache: &MemoryCache) -> u8 {
    panic!("on purpose")
}

#[cache_put(ttl = 60, key = "k", cache = cache)]
async fn hangs(cache: &MemoryCache) -> u8 {
    std::future::pending().await
}

#[tokio::test]
async fn a_panic_and_a_cancellation_drop_the_entry() {
    let cache = MemoryCache::new(10);
    cache.insert("k", &1_u8, POLICY).await.unwrap();
    let panicked = tokio::spawn({
        let cache = cache.clone();
        async move { panics(&cache).await }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(!cache.contains("k").await.unwrap());

    cache.insert("k", &1_u8, POLICY).await.unwrap();
    let cancelled = tokio::time::timeout(Duration::from_millis(10), hangs(&cache)).await;
    assert!(cancelled.is_err());
    assert!(!cache.contains("k").await.unwrap());
}

#[cache_put(ttl = 60, key = "k", cache = cache)]
async fn outdated(cache: &MemoryCache) -> u8 {
    cache.invalidate("k").await;
    1
}

#[tokio::test]
async fn a_result_that_was_invalidated_meanwhile_is_not_stored() {
    let cache = MemoryCache::new(10);
    assert_eq!(outdated(&cache).await, 1);
    assert!(!cache.contains("k").await.unwrap());
}

struct Repository(MemoryCache);

#[async_trait::async_trait]
trait Save {
    async fn save(&mut self, parts: (u64, String)) -> Option<String>;
}

#[async_trait::async_trait]
impl Save for Repository {
    #[cache_put(ttl = 60, key = "<id>", namespace = "users", cache = self.0, negative_ttl = 60)]
    async fn save(&mut self, (id, name): (u64, String)) -> Option<String> {
        (id > 0).then_some(name)
    }
}

#[tokio::test]
async fn methods_store_too() {
    let cache = MemoryCache::new(10);
    let mut repository = Repository(cache.clone());
    assert_eq!(repository.save((1, "Ann".to_owned())).await.as_deref(), Some("Ann"));
    repository.save((0, "Zero".to_owned())).await;
    let get = |key| cache.get::<Option<String>>(key);
    assert_eq!(get("users:1").await.unwrap(), Some(Some("Ann".to_owned())));
    assert_eq!(get("users:0").await.unwrap(), Some(None));
}
