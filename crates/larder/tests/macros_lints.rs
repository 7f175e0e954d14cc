//! What the macros write makes no lint complain in a strict crate, nor do all the options at once.

#![deny(warnings, clippy::pedantic)]
#![deny(missing_debug_implementations, missing_docs, unreachable_pub, unused_qualifications)]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{Lock, MemoryCache, cache_put, cached, invalidate};

static COUNT: AtomicU64 = AtomicU64::new(0);
static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(100));
const WINDOW: Duration = Duration::from_secs(60);

fn count() -> u64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Clone)]
struct Db;

#[cached(
    ttl = "1h30m",
    key = "<id>",
    skip(db, _token, org),
    tags = ["org:<org>"],
    namespace = "all",
    schema = 3,
    cache = *CACHE,
    when = id > 0,
    negative_ttl = 30,
    jitter = 0.1,
    stale_while_revalidate = WINDOW,
    stale_if_error = WINDOW * 60,
    refresh_ahead = 0.8,
    timeout = "200ms",
    lock = Lock::Process,
    detached
)]
async fn every_option(db: &Db, _token: &str, id: u64, org: u64) -> Result<Option<u64>, String> {
    tokio::task::yield_now().await;
    match id {
        1 => Err(format!("{db:?} of {org}")),
        2 => Ok(None),
        _ => Ok(Some(count())),
    }
}

#[cached(
    ttl = "1h30m",
    key = "<id>",
    skip(db, _token),
    tags = ["org:<id>"],
    namespace = "blocking",
    schema = 3,
    cache = *CACHE,
    when = id > 0,
    negative_ttl = 30,
    jitter = 0.1,
    stale_if_error = WINDOW * 60,
    local,
    detached
)]
fn blocking(db: &Db, _token: &str, mut id: u64) -> Result<Option<u64>, String> {
    id += 1;
    match id {
        1 => Err(format!("{db:?}")),
        2 => Ok(None),
        _ => Ok(Some(count())),
    }
}

#[invalidate("blocking:<id>:<result>", cache = *CACHE, on = ok)]
fn change_blocking(_token: &str, id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cache_put(ttl = 60, key = "put:<id>", cache = *CACHE)]
fn put_blocking(_token: &str, id: u64) -> Result<u64, String> {
    Ok(id)
}

#[test]
fn functions_that_are_not_async_work_in_a_strict_crate() {
    assert_eq!(blocking(&Db, "", 1), Ok(None));
    assert!(blocking(&Db, "", 7).is_ok_and(|value| value.is_some()));
    assert_eq!((change_blocking("", 7), put_blocking("", 7)), (Ok(7), Ok(7)));
}

#[cached(ttl = 60, skip(_token))]
async fn foreground(_token: &str, mut id: u64, (a, b): (u8, u8)) -> u64 {
    tokio::task::yield_now().await;
    id += u64::from(a + b);
    id
}

#[invalidate("all:v3:<id>:<result>", "all:*", tags = ["org:<org>"], cache = *CACHE, on = ok)]
async fn change(_token: &str, id: u64, org: u64) -> Result<u64, String> {
    tokio::task::yield_now().await;
    Ok(id + org)
}

#[cache_put(ttl = 60, key = "<id>", namespace = "all", schema = 3, cache = *CACHE)]
async fn put(_token: &str, id: u64) -> Option<u64> {
    tokio::task::yield_now().await;
    Some(id + 1_000)
}

#[derive(Debug, Clone)]
struct Service {
    tenant: String,
}

impl Service {
    #[cached(ttl = 60, key = "of-no-self:<id>", skip(self), spawn)]
    async fn of_no_self(&self, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }

    #[cached(ttl = 60, key = "<self.tenant>:<id>", skip(_token), cache = *CACHE, companions)]
    async fn user(&self, _token: &str, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }
}

#[tokio::test]
async fn every_option_does_its_part() {
    assert_eq!(every_option::key(7), "all:v3:7");
    let first = every_option(&Db, "", 7, 1).await;
    assert_eq!(every_option(&Db, "", 7, 1).await, first);
    let refreshed = every_option::refresh(&Db, "", 7, 1).await;
    assert_ne!(refreshed, first);
    assert_eq!(every_option(&Db, "", 7, 1).await, refreshed);
    assert_eq!(every_option(&Db, "", 1, 2).await, Err("Db of 2".to_owned()));
    assert_eq!(every_option(&Db, "", 2, 2).await, Ok(None));
    assert_ne!(every_option(&Db, "", 0, 2).await, every_option(&Db, "", 0, 2).await);

    assert_eq!(change("", 7, 1).await, Ok(8));
    assert_ne!(every_option(&Db, "", 7, 1).await, refreshed);
    assert_eq!(put("", 8).await, Some(1_008));
    assert_eq!(every_option(&Db, "", 8, 1).await, Ok(Some(1_008)));
}

#[tokio::test]
async fn companions_are_quiet_too() {
    assert_eq!(foreground("", 1, (2, 3)).await, 6);
    assert_eq!(foreground::refresh("", 1, (2, 3)).await, 6);
    let service = Service { tenant: "a:b".to_owned() };
    assert_eq!(service.user("", 1).await, 1);
    assert_eq!(service.user_key(1), "a%3Ab:1");
}

#[deprecated = "for the test"]
#[derive(Debug, Clone, Copy)]
struct Old(u8);

#[allow(deprecated)]
impl std::fmt::Display for Old {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is allowed for a function is allowed for all that is made for it.
#[allow(
    deprecated,
    non_snake_case,
    clippy::too_many_arguments,
    clippy::type_complexity,
    clippy::many_single_char_names
)]
#[cached(ttl = 60, key = "lints:<Id>:<a>:<b>:<c>:<d>:<e>:<f>:<g>:<h:hash>")]
fn allowed(
    Id: Old,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: ((u8, (u8, (u8, (u8, u8)))), Vec<Vec<Vec<(u8, u8, Vec<u8>)>>>),
) -> u8 {
    Id.0 + a + b + c + d + e + f + g + h.0.0
}

#[cached(ttl = 60, key = "lints:option:<q:hash>:<n:hash>")]
async fn options(q: Option<&str>, n: Option<u8>) -> usize {
    #![allow(clippy::unused_async)]
    q.map_or(0, str::len) + usize::from(n.unwrap_or(0))
}

/// What the limit alone uses is used.
#[cfg(feature = "limit")]
#[cached(ttl = 60, key = "lints:limited:<city>", skip(user))]
#[larder::limited(per = "lints:<user>", rate = "100/min")]
async fn limited(user: u64, city: &str) -> Result<usize, larder::limit::Limited> {
    tokio::task::yield_now().await;
    Ok(city.len())
}

#[cfg(feature = "limit")]
#[tokio::test]
async fn a_limit_uses_what_the_function_does_not() {
    assert_eq!(limited(1, "Oslo").await.ok(), Some(4));
}

#[tokio::test]
async fn lints_of_the_function_are_those_of_its_companions() {
    #[allow(deprecated)]
    let sum = allowed(Old(1), 1, 1, 1, 1, 1, 1, 1, ((1, (1, (1, (1, 1)))), Vec::new()));
    assert_eq!(sum, 9);
    assert_eq!(options(Some("ab"), Some(1)).await, 3);
    assert_eq!(options::with_outcome(Some("ab"), None).await.0, 2);
}
