//! What a cached function gets beside itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, Invalidation, MemoryCache, Source, cached};
use tokio::sync::Notify;

mod users {
    use super::*;

    /// A user.
    #[cached(ttl = 60, key = "companions-user:<id>", skip(db))]
    pub(super) async fn user(db: &AtomicU32, id: u64) -> Result<u32, String> {
        Ok(db.fetch_add(1, Ordering::Relaxed))
    }
}

// One import brings the function and its companions.
use users::user;

#[tokio::test]
async fn key_is_the_key() {
    let db = AtomicU32::new(10);
    assert_eq!(user(&db, 1).await, Ok(10));
    let key: String = user::key(1);
    assert_eq!(larder::global().get::<u32>(&key).await.unwrap(), Some(10));
}

#[tokio::test]
async fn invalidate_drops_one_entry() {
    let db = AtomicU32::new(0);
    assert_eq!(user(&db, 2).await, Ok(0));
    assert_eq!(user(&db, 3).await, Ok(1));
    assert!(matches!(user::invalidate(2).await, Invalidation::Delivered(_)));
    assert_eq!(user(&db, 2).await, Ok(2));
    assert_eq!(user(&db, 3).await, Ok(1));
}

#[tokio::test]
async fn invalidate_acts_when_it_is_called() {
    let db = AtomicU32::new(0);
    user(&db, 4).await.unwrap();
    drop(user::invalidate(4));
    assert_eq!(user(&db, 4).await, Ok(1));
}

#[tokio::test]
async fn refresh_computes_and_stores() {
    let db = AtomicU32::new(0);
    assert_eq!(user(&db, 5).await, Ok(0));
    assert_eq!(user::refresh(&db, 5).await, Ok(1));
    assert_eq!(user(&db, 5).await, Ok(1));
}

struct Service {
    cache: MemoryCache,
    tenant: &'static str,
    db: AtomicU32,
}

impl Service {
    fn new() -> Self {
        let (cache, db) = (MemoryCache::new(10), AtomicU32::new(0));
        Self { cache, tenant: "acme", db }
    }

    #[cached(ttl = 60, key = "<self.tenant>:<id>", skip(salt), cache = self.cache, companions)]
    pub(crate) async fn user(&self, id: u64, salt: u32) -> u32 {
        self.db.fetch_add(1, Ordering::Relaxed) + salt
    }

    #[cached(ttl = 60, key = "fixed:<id>", companions, skip(self))]
    async fn fixed(self: std::sync::Arc<Self>, id: u64) -> u32 {
        let _ = (self, id);
        1
    }
}

#[tokio::test]
async fn methods_have_siblings() {
    let service = Service::new();
    assert_eq!(service.user(1, 100).await, 100);
    assert_eq!(service.user_key(1), "acme:1");
    assert_eq!(service.user_refresh(1, 100).await, 101);
    assert_eq!(service.user(1, 0).await, 101);
    service.user_invalidate(1).await;
    assert_eq!(service.user(1, 100).await, 102);
    // Nothing of the receiver is in this key.
    assert_eq!(Service::fixed_key(1), "fixed:1");
    let service = std::sync::Arc::new(service);
    assert_eq!(service.clone().fixed(1).await, 1);
    assert_eq!(service.fixed_refresh(1).await, 1);
}

#[cached(ttl = 60, key = "several:<c>:<a.0>:<N>", cache = cache, skip(b, cache, A, B, C))]
#[expect(clippy::needless_lifetimes, reason = "a lifetime with a name is to be carried along")]
async fn several<'a, A, B, C, const N: usize>(
    a: &'a (A, u8),
    mut b: B,
    (c, _): (C, [u8; N]),
    cache: &MemoryCache,
) -> u8
where
    A: std::fmt::Display + Sync,
    B: Iterator<Item = u8> + Send,
    C: std::fmt::Display + Send + Sync,
{
    let _ = (c, cache);
    a.1 + b.next().unwrap_or(0)
}

#[tokio::test]
async fn key_takes_what_the_key_and_the_cache_are_made_from() {
    let cache = MemoryCache::new(10);
    assert_eq!(several(&("a", 1), [2].into_iter(), ('c', [0; 3]), &cache).await, 3);
    assert_eq!(several::key(&("a", 1), ('c', [0; 3]), &cache), "several:c:a:3");
    assert!(cache.contains("several:c:a:3").await.unwrap());
    several::invalidate(&("a", 1), ('c', [0; 3]), &cache).await;
    assert!(!cache.contains("several:c:a:3").await.unwrap());
}

#[expect(non_camel_case_types, dead_code, reason = "it has the name of the function")]
struct taken {}

#[cached(ttl = 60, companions = false)]
async fn taken(id: u8) -> u8 {
    id
}

#[tokio::test]
async fn companions_can_be_left_out() {
    assert_eq!(taken(1).await, 1);
}

#[cached(ttl = 60, key = "patterns:<a>:<b>", skip(gone))]
async fn patterns((mut a, b): (u8, u8), #[cfg(any())] gone: Missing) -> u8 {
    a += 1;
    a + b
}

#[tokio::test]
async fn companions_take_patterns() {
    assert_eq!(patterns((1, 2)).await, 4);
    assert_eq!(patterns::key((1, 2)), "patterns:1:2");
    assert_eq!(patterns::refresh((1, 2)).await, 4);
}

static SOURCE: AtomicU32 = AtomicU32::new(1);
static READ: Notify = Notify::const_new();
static GO_ON: Notify = Notify::const_new();

#[cached(ttl = 60, key = "companions-slow:<id>", skip(slow))]
async fn slow_or_not(id: u32, slow: bool) -> u32 {
    let value = SOURCE.load(Ordering::SeqCst) + id;
    if slow {
        READ.notify_one();
        GO_ON.notified().await;
    }
    value
}

#[tokio::test]
async fn a_refreshed_value_is_not_replaced_by_what_was_computed_before() {
    let older = tokio::spawn(slow_or_not(0, true));
    READ.notified().await;
    SOURCE.store(2, Ordering::SeqCst);
    assert_eq!(slow_or_not::refresh(0, false).await, 2);
    GO_ON.notify_one();
    assert_eq!(older.await.unwrap(), 1);
    assert_eq!(slow_or_not(0, false).await, 2);
}

#[cached(ttl = 60, key = "companions-never:<id>", when = false)]
async fn never_kept(id: u32) -> u32 {
    larder::context().ttl(Duration::from_secs(86_400)).no_store();
    id
}

#[cached(ttl = 60, key = "companions-outer:<id>")]
async fn calls_never_kept(id: u32) -> u32 {
    never_kept(id).await
}

#[tokio::test]
async fn what_is_not_cached_this_time_decides_nothing_for_its_caller() {
    assert_eq!(calls_never_kept(1).await, 1);
    let left = larder::global().remaining_ttl(&calls_never_kept::key(1)).await.unwrap();
    assert!(left.unwrap() <= Duration::from_secs(60), "{left:?}");
}

#[cached(
    ttl = 60,
    stale_while_revalidate = 60,
    key = "soft:<id>",
    skip(cache, calls),
    cache = cache
)]
async fn soft(cache: &MemoryCache, calls: &Arc<AtomicU32>, id: u64) -> (u64, u32) {
    (id, calls.fetch_add(1, Ordering::Relaxed))
}

#[cached(ttl = 60, key = "strict:<id>", skip(calls))]
async fn strict(calls: &AtomicU32, id: u64) -> (u64, u32) {
    (id, calls.fetch_add(1, Ordering::Relaxed))
}

impl Service {
    #[cached(ttl = 60, key = "<self.tenant>:soft:<id>", cache = self.cache, companions, skip(calls))]
    async fn soft(&self, calls: &AtomicU32, id: u64) -> u32 {
        calls.fetch_add(1, Ordering::Relaxed)
    }
}

#[tokio::test]
async fn mark_stale_ends_the_time_of_one_entry() {
    let (cache, calls) = (MemoryCache::new(10), Arc::new(AtomicU32::new(0)));
    assert_eq!((soft(&cache, &calls, 1).await, soft(&cache, &calls, 2).await), ((1, 0), (2, 1)));
    assert!(matches!(soft::mark_stale(&cache, 1).await, Invalidation::Delivered(_)));
    let (value, outcome) = soft::with_outcome(&cache, &calls, 1).await;
    assert_eq!((value, outcome.source), ((1, 0), Source::Stale), "once more, while it is computed anew");
    assert_eq!(soft::with_outcome(&cache, &calls, 2).await.1.source, Source::Hit);
    soft::invalidate(&cache, 2).await;
    soft::mark_stale(&cache, 2).await;
    assert!(soft(&cache, &calls, 2).await.1 > 1, "a hard one wins");

    // With no window for it, it is as if it had been invalidated.
    let calls = AtomicU32::new(0);
    strict(&calls, 1).await;
    strict::mark_stale(1);
    assert_eq!(strict(&calls, 1).await, (1, 1));

    let (service, calls) = (Service { cache, tenant: "soft", db: AtomicU32::new(0) }, AtomicU32::new(0));
    service.soft(&calls, 1).await;
    service.soft_mark_stale(1);
    assert_eq!(service.soft(&calls, 1).await, 1);
}

#[cached(ttl = 60, key = "warm:<user.0>:<name>", skip(calls, database, _unused))]
async fn warmed(
    calls: &AtomicU32,
    user: (u32, u32),
    database: Arc<u32>,
    name: &str,
    _unused: &'static str,
) -> Result<String, u32> {
    calls.fetch_add(1, Ordering::SeqCst);
    let (id, _) = user;
    if id == 7 { Err(id) } else { Ok(format!("{name} {}", *database + id)) }
}

#[tokio::test]
async fn warm_calls_for_each_item_that_is_not_fresh() {
    let (calls, database) = (AtomicU32::new(0), Arc::new(10));
    let names = ["a", "b", "c"].map(str::to_owned);
    warmed(&calls, (1, 0), database.clone(), "a", "").await.unwrap();

    let items = [1, 7, 3].into_iter().zip(&names).map(|(id, name)| ((id, 0), &**name));
    let told = warmed::warm(&calls, database.clone(), "", items, 2).await;

    assert_eq!((told.fresh, told.computed), (1, 1), "{told:?}");
    assert_eq!(told.errors().collect::<Vec<_>>(), [(1, &7)]);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(warmed(&calls, (3, 9), database, "c", "").await.as_deref(), Ok("c 13"));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

struct Rates {
    base: f64,
}

impl Rates {
    #[cached(ttl = 60, key = "warm-rate:<currency>:<day>", skip(self), companions)]
    async fn rate(&self, currency: std::borrow::Cow<'_, str>, day: &u8) -> f64 {
        self.base * (currency.len() as f64 + f64::from(*day))
    }

    #[cached(ttl = 60, key = "warm-generic:<T>:<id>", skip(self), companions)]
    async fn get<T>(&self, id: &str) -> (T, usize)
    where
        T: Default + larder::Value,
    {
        (T::default(), id.len())
    }
}

#[tokio::test]
async fn methods_are_warmed_beside_themselves() {
    let rates = Rates { base: 2.0 };
    let told = rates.rate_warm([("EUR".into(), &1), ("USD".into(), &2)], 4).await;
    assert_eq!(told.computed, 2, "{told:?}");
    let (rate, outcome) = rates.rate_with_outcome("USD".into(), &2).await;
    assert_eq!((rate, outcome.source), (10.0, Source::Hit));
    assert_eq!(rates.get_warm::<u8>(["a", "a", "bc"], 1).await.fresh, 1);
}
