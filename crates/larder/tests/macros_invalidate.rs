//! `#[invalidate]`: what it drops, and when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{CacheExt, MemoryCache, Policy, Scope, invalidate};

const POLICY: Policy = Policy::ttl(Duration::from_secs(60));

async fn filled(keys: &[&str]) -> MemoryCache {
    let cache = MemoryCache::new(100);
    for key in keys {
        cache.insert(key, &1_u8, POLICY).await.expect("a key");
    }
    cache
}

async fn left(cache: &MemoryCache, keys: &[&str]) -> Vec<String> {
    let mut left = Vec::new();
    for key in keys {
        if cache.contains(key).await.expect("a key") {
            left.push((*key).to_owned());
        }
    }
    left
}

#[invalidate("user:<id>", "dashboard:*", "list:<name>:*", cache = cache)]
async fn rename(cache: &MemoryCache, id: u64, name: &str) -> Result<usize, String> {
    if id == 0 {
        return Err("no such user".to_owned());
    }
    Ok(name.len())
}

const KEYS: &[&str] =
    &["user:1", "user:2", "dashboard:a", "dashboard:b:c", "dashboards", "list:x:1", "list:y:1"];

#[tokio::test]
async fn keys_and_prefixes_are_dropped() {
    let cache = filled(KEYS).await;
    assert_eq!(rename(&cache, 1, "x").await, Ok(1));
    assert_eq!(left(&cache, KEYS).await, ["user:2", "dashboards", "list:y:1"]);
}

#[tokio::test]
async fn a_failure_drops_them_too() {
    let cache = filled(KEYS).await;
    assert!(rename(&cache, 0, "x").await.is_err());
    assert_eq!(left(&cache, KEYS).await, ["user:1", "user:2", "dashboards", "list:y:1"]);
}

#[invalidate("a", cache = cache)]
async fn panics(cache: &MemoryCache) {
    panic!("on purpose");
}

#[invalidate("a", cache = cache)]
async fn hangs(cache: &MemoryCache) {
    std::future::pending().await
}

#[tokio::test]
async fn a_panic_and_a_cancellation_drop_them_too() {
    let cache = filled(&["a"]).await;
    let panicked = tokio::spawn({
        let cache = cache.clone();
        async move { panics(&cache).await }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(left(&cache, &["a"]).await.is_empty());

    cache.insert("a", &1_u8, POLICY).await.unwrap();
    let cancelled = tokio::time::timeout(Duration::from_millis(10), hangs(&cache)).await;
    assert!(cancelled.is_err());
    assert!(left(&cache, &["a"]).await.is_empty());
}

#[invalidate("a", cache = cache, on = ok)]
async fn on_ok<T>(cache: &MemoryCache, output: T) -> T {
    output
}

#[invalidate("a", cache = cache, on = ok)]
async fn on_ok_result(cache: &MemoryCache, output: std::fmt::Result) -> std::fmt::Result {
    output
}

#[invalidate("a", cache = cache, on = ok)]
async fn on_ok_option(cache: &MemoryCache, output: Option<u8>) -> Option<u8> {
    output
}

#[tokio::test]
async fn on_ok_waits_for_success() {
    let cache = filled(&["a"]).await;
    assert!(on_ok_result(&cache, Err(std::fmt::Error)).await.is_err());
    assert!(on_ok_option(&cache, None).await.is_none());
    assert_eq!(left(&cache, &["a"]).await, ["a"]);
    assert!(on_ok_result(&cache, Ok(())).await.is_ok());
    assert!(left(&cache, &["a"]).await.is_empty());

    let cache = filled(&["a"]).await;
    assert_eq!(on_ok_option(&cache, Some(1)).await, Some(1));
    assert!(left(&cache, &["a"]).await.is_empty());

    let cache = filled(&["a"]).await;
    assert_eq!(on_ok(&cache, 1).await, 1);
    assert!(left(&cache, &["a"]).await.is_empty());
}

struct User {
    id: u64,
    org: String,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

#[invalidate("user:<result.id>", "in:<org>:<result.org>:<org>", "name:<name>", cache = cache, tags = ["org:<result.org>"])]
async fn create(cache: &MemoryCache, org: String, name: &str) -> anyhow::Result<User> {
    anyhow::ensure!(!name.is_empty(), "a name is needed");
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(User { id, org })
}

#[tokio::test]
async fn result_names_what_the_function_returned() {
    let keys = ["user:1", "in:a:a:a", "name:x", "name:", "tagged"];
    let cache = filled(&keys[..4]).await;
    let tagged = Policy::builder().ttl(Duration::from_secs(60)).tag("org:a").build().unwrap();
    cache.insert("tagged", &1_u8, tagged).await.unwrap();

    assert!(create(&cache, "a".to_owned(), "").await.is_err());
    assert_eq!(left(&cache, &keys).await, ["user:1", "in:a:a:a", "name:x", "tagged"]);
    let user = create(&cache, "a".to_owned(), "x").await.unwrap();
    assert_eq!((user.id, user.org.as_str()), (1, "a"));
    assert!(left(&cache, &keys).await.is_empty());
}

#[invalidate("a:<result>", cache = cache)]
async fn an_argument_called_result(cache: &MemoryCache, result: u8) -> Option<u8> {
    None.or(Some(result + 1))
}

#[invalidate("<result>", cache = cache)]
async fn the_whole_result(cache: &MemoryCache) -> &str {
    let _ = cache;
    "a:2"
}

#[tokio::test]
async fn an_argument_called_result_comes_first() {
    let cache = filled(&["a:1", "a:2"]).await;
    an_argument_called_result(&cache, 1).await;
    assert_eq!(left(&cache, &["a:1", "a:2"]).await, ["a:2"]);
    // What is interpolated is escaped, so that it is never more than a part.
    the_whole_result(&cache).await;
    assert_eq!(left(&cache, &["a:2"]).await, ["a:2"]);
}

#[invalidate("1", "*", cache = cache, namespace = "users", schema = 2)]
async fn in_namespace(cache: MemoryCache) -> impl Sized {
    drop(cache);
}

#[tokio::test]
async fn a_namespace_stands_in_front() {
    let cache = filled(&["1", "users:v2:1", "users:v2:x", "users:1"]).await;
    in_namespace(cache.clone()).await;
    assert_eq!(left(&cache, &["1", "users:v2:1", "users:v2:x", "users:1"]).await, ["1", "users:1"]);
}

#[invalidate(tags = ["all"], cache = cache)]
async fn by_tag<'a>(cache: &MemoryCache, text: &'a mut String) -> &'a str {
    text.push('!');
    text
}

#[tokio::test]
async fn the_result_is_untouched() {
    let cache = filled(&["a"]).await;
    let mut text = "a".to_owned();
    assert_eq!(by_tag(&cache, &mut text).await, "a!");
    cache.invalidate(Scope::all()).await;
}

struct Repository {
    cache: MemoryCache,
    changes: u32,
}

#[async_trait::async_trait]
trait Write {
    async fn write(&mut self, id: u64, parts: (u8, u8)) -> Result<u32, String>;
}

#[async_trait::async_trait]
impl Write for Repository {
    #[invalidate("user:<id>", "part:<b>", "change:<result>", cache = self.cache)]
    async fn write(&mut self, id: u64, (a, b): (u8, u8)) -> Result<u32, String> {
        self.changes += u32::from(a);
        Ok(self.changes)
    }
}

impl Repository {
    #[invalidate("user:<id>", cache = self.cache)]
    #[invalidate("part:<id>", cache = self.cache)]
    async fn consume(self, id: u64) -> u32 {
        self.changes
    }
}

#[tokio::test]
async fn methods_may_change_and_take_their_receiver() {
    let keys = ["user:1", "part:2", "change:5", "user:2"];
    let cache = filled(&keys).await;
    let mut repository = Repository { cache: cache.clone(), changes: 0 };
    assert_eq!(repository.write(1, (5, 2)).await, Ok(5));
    assert_eq!(left(&cache, &keys).await, ["user:2"]);
    cache.insert("part:2", &1_u8, POLICY).await.unwrap();
    assert_eq!(repository.consume(2).await, 5);
    assert!(left(&cache, &keys).await.is_empty());
}
