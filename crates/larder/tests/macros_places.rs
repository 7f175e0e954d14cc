//! Where a cached function can stand.

use std::sync::atomic::{AtomicU64, Ordering};

use larder::{CacheExt, MemoryCache, cached, invalidate};

static CALLS: AtomicU64 = AtomicU64::new(0);

fn call(id: u64) -> u64 {
    if id < 100 {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    id
}

struct Users;

impl Users {
    #[cached(ttl = 60, key = "places:find:<id>")]
    async fn find(id: u64) -> u64 {
        call(id)
    }

    #[cached(ttl = 60, key = "places:find-here:<id>", companions)]
    fn find_here(id: u64) -> u64 {
        call(id)
    }

    #[invalidate("places:find:<id>")]
    async fn change(id: u64) {
        call(id);
    }
}

trait Finds {
    async fn one(id: u64) -> u64;
    fn other(id: u64) -> u64;

    #[cached(ttl = 60, key = "places:<Self>:default:<id>")]
    fn default(id: u64) -> u64 {
        call(id)
    }
}

impl Finds for Users {
    #[cached(ttl = 60, key = "places:trait:<id>")]
    async fn one(id: u64) -> u64 {
        call(id)
    }

    #[cached(ttl = 60, key = "places:trait-here:<id>")]
    fn other(id: u64) -> u64 {
        call(id)
    }
}

/// Beside a module of its name there is no room for a type.
#[cached(ttl = 60)]
async fn pages(id: u64) -> u64 {
    call(id + pages::OFFSET)
}

mod pages {
    pub(super) const OFFSET: u64 = 1;
}

#[cached(ttl = 60, key = "places:orders:<id>")]
fn orders(id: u64) -> u64 {
    call(id)
}

#[expect(non_camel_case_types, reason = "the name is taken")]
type orders = u8;

#[tokio::test]
async fn functions_without_self_and_beside_modules_are_cached() {
    for _ in 0..2 {
        assert_eq!(Users::find(1).await, 1);
        assert_eq!(Users::find_here(2), 2);
        assert_eq!(Users::one(3).await, 3);
        assert_eq!(Users::other(4), 4);
        assert_eq!(Users::default(5), 5);
        assert_eq!(pages(5).await, 6);
        assert_eq!(orders(7), 7);
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 7);
    let taken: orders = 1;
    assert_eq!(Users::find_here_key(2), format!("places:find-here:{}", taken + 1));
    drop(Users::find_here_invalidate(2));
    assert_eq!(Users::find_here_refresh(2), 2);
    Users::change(1).await;
    assert_eq!(Users::find(1).await, 1);
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn functions_inside_of_functions_have_companions_too() {
    #[cached(ttl = 60, key = "places:inside:<id>")]
    async fn inside(id: u64) -> u64 {
        id
    }
    assert_eq!(inside(1).await, 1);
    assert_eq!(inside::key(1), "places:inside:1");
}

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Boxed: Future + Sized + Send {
    fn boxed<'a>(self) -> BoxFuture<'a, Self::Output>
    where
        Self: 'a,
    {
        Box::pin(self)
    }
}

impl<F: Future + Send> Boxed for F {}

#[cached(ttl = 60, key = "places:box-future:<id>")]
fn box_future(id: &u64) -> BoxFuture<'_, u64> {
    Box::pin(async move { call(*id) })
}

#[cached(ttl = 60, key = "places:boxed:<id>")]
fn boxed(id: u64) -> BoxFuture<'static, Result<u64, String>> {
    async move {
        let id = std::str::FromStr::from_str(&id.to_string()).map_err(|_| "no number".to_owned())?;
        Ok(call(id))
    }
    .boxed()
}

#[expect(clippy::manual_async_fn, reason = "it is what is tried")]
#[cached(ttl = 60, key = "places:impl-future:<id>", spawn)]
fn impl_future(id: u64) -> impl Future<Output = u64> + Send {
    async move { call(id) }
}

#[expect(clippy::manual_async_fn, reason = "it is what is tried")]
#[invalidate("places:impl-future:<id>")]
fn change_future(id: u64) -> impl Future<Output = ()> {
    async move {
        let _ = id;
    }
}

#[tokio::test]
async fn functions_that_return_futures_are_cached() {
    for _ in 0..2 {
        assert_eq!(box_future(&101).await, 101);
        assert_eq!(boxed(102).await, Ok(102));
        assert_eq!(impl_future(103).await, 103);
    }
    change_future(103).await;
    let computed = larder::CacheExt::stats(larder::global()).computations;
    assert_eq!(impl_future(103).await, 103);
    assert!(larder::CacheExt::stats(larder::global()).computations > computed);
}

/// An error that borrows is its caller's alone.
#[cached(ttl = 60, key = "places:borrowed:<name>")]
async fn borrowed(name: &str) -> Result<usize, &str> {
    if name.is_empty() { Err(name) } else { Ok(name.len()) }
}

struct Wrong<'a>(&'a str);

#[cached(ttl = 60, key = "places:borrowed-here:<name>")]
fn borrowed_here<'a>(name: &'a str) -> Result<usize, Wrong<'a>> {
    if name.is_empty() { Err(Wrong(name)) } else { Ok(name.len()) }
}

#[tokio::test]
async fn errors_may_borrow() {
    assert_eq!(borrowed("abc").await, Ok(3));
    assert_eq!(borrowed("").await, Err(""));
    assert_eq!(borrowed_here("abc").map_err(|wrong| wrong.0.len()), Ok(3));
    assert_eq!(borrowed_here("").map_err(|wrong| wrong.0.len()), Err(0));
}

struct Repo<T>(T);

impl<T: Default + Into<u64>> Repo<T> {
    #[cached(ttl = 60, key = "places:default:<T>", companions = false)]
    async fn default() -> u64 {
        T::default().into() + size_of::<T>() as u64
    }
}

/// The parameters of the `impl` can be named, since it is known.
#[tokio::test]
async fn parameters_of_the_impl_are_known_without_self() {
    assert_eq!((Repo::<u8>::default().await, Repo::<u32>::default().await), (1, 4));
    assert!(Repo(1_u8).0 == 1);
}

trait Table {
    const COUNT: u64;
}

struct Orders;
struct Customers;

impl Table for Orders {
    const COUNT: u64 = 3;
}

impl Table for Customers {
    const COUNT: u64 = 5;
}

struct Settings;

impl Settings {
    const PREFIX: &'static str = "places";
}

struct Left(MemoryCache);
struct Right(MemoryCache);

impl Left {
    #[cached(ttl = 60, key = "<Settings::PREFIX>:row:<id>", skip(self), cache = self.0)]
    async fn get(&self, id: u64) -> u64 {
        100 + id
    }

    #[cached(ttl = 60, key = "places:own:<T>:<id>", skip(self), cache = self.0)]
    fn own_parameter<T>(&self, id: u64) -> u64 {
        100 + id
    }
}

impl Right {
    #[cached(ttl = 60, key = "<Settings::PREFIX>:row:<id>", skip(self), cache = self.0)]
    async fn get(&self, id: u64) -> u64 {
        200 + id
    }

    #[cached(ttl = 60, key = "places:own:<T>:<id>", skip(self), cache = self.0)]
    fn own_parameter<T>(&self, id: u64) -> u64 {
        200 + id
    }
}

#[tokio::test]
async fn a_type_that_stands_nowhere_around_tells_no_functions_apart() {
    let cache = MemoryCache::new(100);
    let (left, right) = (Left(cache.clone()), Right(cache.clone()));
    for _ in 0..2 {
        assert_eq!((left.get(7).await, right.get(7).await), (107, 207));
        assert_eq!((left.own_parameter::<u8>(7), right.own_parameter::<u8>(7)), (107, 207));
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.refused_keys), (2, 4));
}

/// No source shows what is a parameter.
macro_rules! unread {
    ($repo:ident, $T:ident, $trait:ident) => {
        struct $repo<$T>(MemoryCache, std::marker::PhantomData<$T>);

        impl<$T: Table + Sync> $repo<$T> {
            #[cached(ttl = 60, key = "<Settings::PREFIX>:unread:<id>", skip(self), cache = self.0)]
            async fn get(&self, id: u64) -> u64 {
                $T::COUNT * 100 + id
            }

            #[cached(ttl = 60, key = "<T>:unread:<id>", skip(self), cache = self.0)]
            async fn named(&self, id: u64) -> u64 {
                $T::COUNT * 100 + id
            }
        }

        trait $trait {
            const ROWS: u64;

            #[cached(ttl = 60, key = "<Settings::PREFIX>:default:<id>", cache = cache, skip(self, cache))]
            fn rows(&self, cache: &MemoryCache, id: u64) -> u64 {
                Self::ROWS * 100 + id
            }
        }
    };
}

unread!(Unread, T, Rows);

impl Rows for Orders {
    const ROWS: u64 = 1;
}

impl Rows for Customers {
    const ROWS: u64 = 2;
}

#[tokio::test]
async fn where_no_source_can_be_read_keys_are_those_of_the_first_type() {
    let cache = MemoryCache::new(100);
    let (orders, users) = (
        Unread::<Orders>(cache.clone(), std::marker::PhantomData),
        Unread::<Customers>(cache.clone(), std::marker::PhantomData),
    );
    for _ in 0..2 {
        assert_eq!((orders.get(7).await, users.get(7).await), (307, 507));
        assert_eq!((orders.named(7).await, users.named(7).await), (307, 507));
        assert_eq!((Orders.rows(&cache, 7), Customers.rows(&cache, 7)), (107, 207));
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.refused_keys), (4, 4));
}

/// Of another ABI: callers in C are served as those in Rust are.
#[test]
fn a_function_of_another_abi() {
    #[cached(ttl = 60, key = "places:abi:<id>")]
    extern "C" fn find(id: u64) -> u64 {
        CALLS_OF_C.fetch_add(1, Ordering::SeqCst) + id
    }

    static CALLS_OF_C: AtomicU64 = AtomicU64::new(0);
    let find: extern "C" fn(u64) -> u64 = find;
    assert_eq!((find(7), find(7), find(8)), (7, 7, 9));
    assert_eq!(CALLS_OF_C.load(Ordering::SeqCst), 2);
}
