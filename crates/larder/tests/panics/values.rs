//! Values whose code panics.

use super::*;

/// A value of which some part panics.
#[derive(Debug)]
struct Value {
    number: u64,
    clone_panics: bool,
    drop_panics: bool,
}

impl Value {
    fn new(number: u64) -> Self {
        Self { number, clone_panics: false, drop_panics: false }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        assert!(!self.clone_panics, "on purpose, when cloned");
        Self { ..*self }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!self.drop_panics || std::thread::panicking(), "on purpose, when dropped");
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::new)
    }
}

/// It is its caller's all the same, and those who wait compute for themselves, at once.
#[tokio::test]
async fn a_value_that_cannot_be_cloned_is_not_lost() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        callers.spawn(async move {
            let compute = async || {
                let number = calls.call() as u64;
                gate.pass().await;
                Ok::<_, Infallible>(Value { clone_panics: true, ..Value::new(number) })
            };
            cache.get_or_compute("key", long(), compute).await.unwrap().number
        });
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    let mut numbers = in_time(callers.join_all()).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    is_well(&cache, "key").await;
}

#[cached(ttl = 300, key = "refreshed", cache = cache, skip(cache, clone_panics))]
async fn refreshed(cache: &MemoryCache, clone_panics: bool) -> Value {
    Value { clone_panics, ..Value::new(u64::from(clone_panics)) }
}

/// Its caller has it, and what is there is older.
#[tokio::test]
async fn a_refresh_whose_value_cannot_be_cloned_leaves_no_older_one() {
    let cache = MemoryCache::new(10);
    refreshed(&cache, false).await;
    assert_eq!(refreshed::refresh(&cache, true).await.number, 1);
    assert!(cache.get::<Value>("refreshed").await.unwrap().is_none());
}

/// A hit that cannot be cloned is its caller's panic, and no other's.
#[tokio::test]
async fn a_hit_that_cannot_be_cloned_harms_no_other() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    #[derive(Serialize, Deserialize)]
    struct Sometimes(u64);
    impl Clone for Sometimes {
        fn clone(&self) -> Self {
            assert!(!BROKEN.load(Ordering::SeqCst), "on purpose");
            Self(self.0)
        }
    }
    let cache = MemoryCache::new(10);
    cache.insert("key", &Sometimes(1), long()).await.unwrap();
    BROKEN.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let cache = cache.clone();
        assert!(
            panicked(tokio::spawn(async move { cache.get::<Sometimes>("key").await.unwrap().map(|_| ()) }))
                .await
        );
    }
    BROKEN.store(false, Ordering::SeqCst);
    assert_eq!(cache.get::<Sometimes>("key").await.unwrap().unwrap().0, 1);
    is_well(&cache, "another").await;
}

#[tokio::test]
async fn a_value_whose_drop_panics_harms_no_caller() {
    let cache = MemoryCache::new(2);
    let bomb = || Value { drop_panics: true, ..Value::new(1) };
    for number in 0..100 {
        let made = bomb();
        cache.insert(&format!("key:{number}"), &made, long()).await.unwrap();
        std::mem::forget(made);
    }
    cache.invalidate(Scope::all()).await;
    assert!(cache.entry_count() <= 100);
    // The last one who has it is one who waits.
    let gate = Gate::closed();
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let (cache, gate) = (cache.clone(), gate.clone());
        callers.spawn(async move {
            let compute = async || {
                context().no_store();
                gate.pass().await;
                Ok::<_, Infallible>(bomb())
            };
            std::mem::forget(cache.get_or_compute("key", long(), compute).await.unwrap());
        });
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    in_time(callers.join_all()).await;
    is_well(&cache, "key").await;
}

/// The caller's data has changed, whatever becomes of the value: what is there is old.
#[tokio::test]
async fn an_insert_that_panics_invalidates() {
    let weigher =
        |key: &str, _: &larder::Entry| if key.starts_with("heavy") { panic!("on purpose") } else { 1 };
    let cache = MemoryCache::builder().capacity(10).weigher(weigher).build().unwrap();
    for key in ["a", "b"] {
        cache.insert(key, &Value::new(1), long()).await.unwrap();
    }
    let inserting = cache.clone();
    let insert = async move {
        let broken = Value { clone_panics: true, ..Value::new(2) };
        inserting.insert_many(&[("a", Value::new(2)), ("b", broken)], long()).await.unwrap();
    };
    assert!(panicked(tokio::spawn(insert)).await);
    for key in ["a", "b"] {
        assert!(cache.get::<Value>(key).await.unwrap().is_none(), "{key}");
    }
    // What was made from something of that key too.
    let compute = async || {
        assert!(cache.get::<Value>("heavy").await.unwrap().is_none());
        Ok::<_, Infallible>(1)
    };
    assert_eq!(cache.get_or_compute("made", long(), compute).await, Ok(1));
    let inserting = cache.clone();
    let insert = async move { inserting.insert("heavy", &Value::new(2), long()).await.unwrap() };
    assert!(panicked(tokio::spawn(insert)).await);
    assert_eq!(cache.get::<i32>("made").await.unwrap(), None);
    is_well(&cache, "a").await;
}
