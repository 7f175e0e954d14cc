//! `#[cached]` on methods: any receiver, and traits.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, MemoryCache, cached};

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Counts computations.
#[derive(Default)]
struct Db(AtomicU32);

impl Db {
    fn query(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn queries(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

struct Service {
    cache: MemoryCache,
    tenant: String,
    db: Db,
}

impl Service {
    fn new(tenant: &str) -> Self {
        Self { cache: MemoryCache::new(100), tenant: tenant.to_owned(), db: Db::default() }
    }

    fn tenant(&self) -> &str {
        &self.tenant
    }

    #[cached(ttl = 60, key = "<self.tenant()>:by-ref:<id>", cache = self.cache)]
    async fn by_ref(&self, id: u64) -> u64 {
        self.db.query();
        id
    }

    #[cached(ttl = 60, key = "<self.tenant>:by-mut:<id>", cache = self.cache)]
    async fn by_mut(&mut self, id: u64) -> u64 {
        self.db.query();
        self.tenant.push('x');
        self.tenant.pop();
        id
    }

    #[cached(ttl = 60, key = "by-arc:<id>", cache = self.cache, skip(self))]
    async fn by_arc(self: Arc<Self>, id: u64) -> u64 {
        self.db.query();
        id
    }

    #[cached(ttl = 60, key = "by-value:<id>", cache = self.cache, skip(self))]
    async fn by_value(self, id: u64) -> (u64, u32) {
        self.db.query();
        (id, self.db.queries())
    }

    #[cached(ttl = 60, key = "by-arc-ref:<id>", cache = self.cache.clone(), skip(self))]
    async fn by_arc_ref(self: &Arc<Self>, id: u64) -> u64 {
        self.db.query();
        id
    }

    #[cached(ttl = 60, key = "associated:<id>", cache = cache, skip(cache))]
    async fn associated(cache: &dyn Cache, id: u64) -> Box<u64>
    where
        Self: Sized,
    {
        Box::new(id)
    }
}

#[tokio::test]
async fn methods_may_have_any_receiver() {
    let mut service = Service::new("acme");
    for _ in 0..2 {
        assert_eq!(service.by_ref(1).await, 1);
        assert_eq!(service.by_mut(2).await, 2);
    }
    assert_eq!(service.db.queries(), 2);

    let service = Arc::new(service);
    for _ in 0..2 {
        assert_eq!(service.clone().by_arc(3).await, 3);
        assert_eq!(service.by_arc_ref(4).await, 4);
        assert_eq!(*Service::associated(&service.cache, 5).await, 5);
    }
    assert_eq!(service.db.queries(), 4);

    let cache = service.cache.clone();
    let other = || Service { cache: cache.clone(), tenant: String::new(), db: Db::default() };
    assert_eq!(other().by_value(6).await, (6, 1));
    assert_eq!(other().by_value(6).await, (6, 1));
}

#[async_trait::async_trait]
trait Store {
    async fn load(&self, db: &Db, ids: (u8, u8), mut label: String) -> Outcome<String>;

    #[cached(ttl = 60, key = "<Self>:default:<self.name()>:<id>", skip(db))]
    async fn load_default(&self, db: &Db, id: u8) -> u8
    where
        Self: Sync,
    {
        db.query();
        id + self.name().len() as u8
    }

    fn name(&self) -> &str;
}

struct Disk(String);

#[async_trait::async_trait]
impl Store for Disk {
    #[cached(ttl = 60, key = "disk:<self.0>:<a>:<label>", skip(db, b))]
    async fn load(&self, db: &Db, (a, b): (u8, u8), mut label: String) -> Outcome<String> {
        db.query();
        if a == 0 {
            return Err("no".into());
        }
        label.push_str(&format!("{}{}", a, b));
        Ok(format!("{}{label}", self.0))
    }

    fn name(&self) -> &str {
        &self.0
    }
}

#[tokio::test]
async fn async_trait_methods_are_functions_too() {
    let (db, disk) = (Db::default(), Disk("d".to_owned()));
    for _ in 0..2 {
        assert_eq!(disk.load(&db, (1, 2), "x".to_owned()).await.unwrap(), "dx12");
        assert_eq!(disk.load_default(&db, 1).await, 2);
    }
    assert_eq!(db.queries(), 2);
    let store: Box<dyn Store + Send + Sync> = Box::new(disk);
    assert!(is_send(store.load(&db, (0, 0), "x".to_owned())).await.is_err());
}

trait Native {
    fn get(&self, db: &Db, id: u8) -> impl Future<Output = u8> + Send;
}

impl Native for Disk {
    #[cached(ttl = 60, key = "native:<id>", skip(self, db))]
    async fn get(&self, db: &Db, id: u8) -> u8 {
        db.query();
        id
    }
}

#[tokio::test]
async fn native_async_methods_work() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(Disk(String::new()).get(&db, 1).await, 1);
    }
    assert_eq!(db.queries(), 1);
}

#[async_trait::async_trait]
trait Instrumented {
    async fn above(&self, db: &Db, id: u8) -> u8;
    async fn below(&self, db: &Db, id: u8) -> u8;
}

#[async_trait::async_trait]
impl Instrumented for Disk {
    #[tracing::instrument(skip(self, db))]
    #[cached(ttl = 60, key = "instrumented-above:<self.0>:<id>", skip(db))]
    async fn above(&self, db: &Db, id: u8) -> u8 {
        db.query();
        id + self.0.len() as u8
    }

    #[cached(ttl = 60, key = "instrumented-below:<self.0>:<id>", skip(db))]
    #[tracing::instrument(skip(self, db))]
    async fn below(&self, db: &Db, id: u8) -> u8 {
        db.query();
        id + self.0.len() as u8
    }
}

#[tokio::test]
async fn instrument_stands_in_either_order() {
    let (db, disk) = (Db::default(), Disk("d".to_owned()));
    for _ in 0..2 {
        assert_eq!(disk.above(&db, 1).await, 2);
        assert_eq!(disk.below(&db, 1).await, 2);
    }
    assert_eq!(db.queries(), 2);
}

#[async_trait::async_trait(?Send)]
trait OnOneThread {
    async fn get(&self, db: &Db, id: u8) -> u8;
}

#[async_trait::async_trait(?Send)]
impl OnOneThread for std::rc::Rc<u8> {
    #[cached(ttl = 60, key = "on-one-thread:<self>:<id>", skip(db))]
    async fn get(&self, db: &Db, id: u8) -> u8 {
        let rc = self.clone();
        tokio::task::yield_now().await;
        db.query();
        *rc + id
    }
}

#[tokio::test]
async fn a_computation_may_stay_on_its_thread() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(std::rc::Rc::new(1).get(&db, 1).await, 2);
    }
    assert_eq!(db.queries(), 1);
}
