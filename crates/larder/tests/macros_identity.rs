//! No function is served what another one computed: the key is made of all that the result depends on, the function
//! included.

use std::sync::atomic::Ordering;

use larder::{CacheExt, MemoryCache, Namespace, cached};

mod one_key {
    #[larder::cached(ttl = 60, key = "identity:user:<id>")]
    pub(super) async fn name(id: u64) -> String {
        format!("name of {id}")
    }

    #[larder::cached(ttl = 60, key = "identity:user:<user>")]
    pub(super) async fn mail(user: &str) -> String {
        format!("mail of {user}")
    }

    #[larder::cached(ttl = 60, key = "identity:user:<id>")]
    pub(super) fn street(id: u64) -> String {
        format!("street of {id}")
    }
}

#[tokio::test]
async fn of_two_functions_with_one_key_the_later_one_is_not_cached() {
    larder_warnings::listen();
    for _ in 0..2 {
        assert_eq!(one_key::name(7).await, "name of 7");
        assert_eq!(one_key::mail("7").await, "mail of 7");
        assert_eq!(one_key::street(7), "street of 7");
    }
    assert_eq!(one_key::mail::refresh("7").await, "mail of 7");
    assert_eq!(one_key::name(7).await, "name of 7", "a refresh stores nothing either");
    let warnings =
        larder_warnings::heard(&["two cached functions have one key", "macros_identity.rs", "shared_key"]);
    let of = |name: &str| warnings.iter().filter(|warning| warning.contains(&format!("{name} ("))).count();
    assert_eq!((of("one_key::mail"), of("one_key::street")), (1, 1), "once for each: {warnings:?}");
    assert_eq!(of("one_key::name"), 2, "{warnings:?}");
}

mod shared {
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(super) static CALLS: AtomicUsize = AtomicUsize::new(0);

    #[larder::cached(ttl = 60, key = "identity:shared:<id>")]
    pub(super) async fn square(id: u64) -> u64 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        id * id
    }

    #[larder::cached(ttl = 60, key = "identity:shared:<id>", shared_key)]
    pub(super) fn square_here(id: u64) -> u64 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        id * id
    }
}

#[tokio::test]
async fn functions_share_a_key_if_they_say_so() {
    assert_eq!(shared::square(3).await, 9);
    assert_eq!(shared::square_here(3), 9);
    assert_eq!(shared::square_here(4), 16);
    assert_eq!(shared::square(4).await, 16);
    assert_eq!(shared::CALLS.load(Ordering::SeqCst), 2);
}

struct Rows {
    cache: MemoryCache,
    table: &'static str,
}

struct Columns {
    cache: MemoryCache,
    table: &'static str,
}

impl Rows {
    #[cached(ttl = 60, key = "<self.table>:<id>", cache = self.cache)]
    async fn get(&self, id: u64) -> String {
        format!("row {id}")
    }

    #[cached(ttl = 60, key = "<self.table>:<id>", cache = self.cache)]
    async fn cells(&self, id: u64) -> String {
        format!("cells of {id}")
    }
}

impl Columns {
    #[cached(ttl = 60, key = "<self.table>:<id>", cache = self.cache)]
    async fn get(&self, id: u64) -> String {
        format!("column {id}")
    }
}

#[tokio::test]
async fn functions_of_two_types_may_tell_their_keys_apart_by_self() {
    let cache = MemoryCache::new(10);
    let (rows, columns) =
        (Rows { cache: cache.clone(), table: "rows" }, Columns { cache: cache.clone(), table: "columns" });
    for _ in 0..2 {
        assert_eq!(rows.get(1).await, "row 1");
        assert_eq!(columns.get(1).await, "column 1");
        assert_eq!(rows.cells(1).await, "cells of 1", "of one type, they cannot");
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.computations, stats.refused_keys), (2, 2, 2));
}

#[cached(ttl = 60, key = "identity:in:<id>", cache = cache, skip(cache))]
async fn one_of_many(cache: &MemoryCache, id: u64) -> u64 {
    id
}

#[cached(ttl = 60, key = "identity:in:<id>", cache = cache, skip(cache))]
async fn other_of_many(cache: &MemoryCache, id: u64) -> u64 {
    id + 1
}

#[tokio::test]
async fn each_cache_has_its_own_functions() {
    let caches = [(); 3].map(|()| MemoryCache::new(10));
    for cache in &caches[..2] {
        assert_eq!(one_of_many(cache, 1).await, 1);
    }
    assert_eq!(other_of_many(&caches[2], 1).await, 2);
    for _ in 0..2 {
        assert_eq!((one_of_many(&caches[0], 1).await, one_of_many(&caches[1], 1).await), (1, 1));
        assert_eq!((other_of_many(&caches[0], 1).await, other_of_many(&caches[1], 1).await), (2, 2));
        assert_eq!((other_of_many(&caches[2], 1).await, one_of_many(&caches[2], 1).await), (2, 1));
    }
    assert_eq!(caches.map(|cache| cache.stats().hits), [2, 2, 2]);
}

#[tokio::test]
async fn namespaces_and_types_of_values_tell_functions_apart() {
    #[cached(ttl = 60, key = "apart:<id>", namespace = "a", cache = cache, skip(cache))]
    async fn one(cache: &MemoryCache, id: u64) -> u64 {
        id
    }
    #[cached(ttl = 60, key = "apart:<id>", namespace = "b", cache = cache, skip(cache))]
    async fn two(cache: &MemoryCache, id: u64) -> u64 {
        id + 1
    }
    #[cached(ttl = 60, key = "apart:<id>", namespace = "c", cache = cache, skip(cache))]
    async fn three(cache: &MemoryCache, id: u64) -> u64 {
        id + 2
    }
    #[cached(ttl = 60, key = "apart:<id>", namespace = "c", cache = cache, skip(cache))]
    async fn of_another_type(cache: &MemoryCache, id: u64) -> String {
        id.to_string()
    }
    let cache = MemoryCache::new(10);
    for _ in 0..2 {
        assert_eq!((one(&cache, 1).await, two(&cache, 1).await, three(&cache, 1).await), (1, 2, 3));
    }
    assert_eq!(of_another_type(&cache, 1).await, "1");
    let stats = cache.stats();
    assert_eq!((stats.refused_keys, stats.hits), (0, 3));
}

/// No source shows where a macro's functions stand.
macro_rules! inner {
    ($value:literal) => {
        #[larder::cached(ttl = 60)]
        async fn inner(id: u64) -> u64 {
            id + $value
        }
    };
}

async fn ten(id: u64) -> u64 {
    inner!(10);
    inner(id).await
}

async fn twenty(id: u64) -> u64 {
    inner!(20);
    inner(id).await
}

#[tokio::test]
async fn nested_functions_of_one_name_are_not_mixed_up() {
    for _ in 0..2 {
        assert_eq!((ten(1).await, twenty(1).await), (11, 21));
    }
}

struct Generic<T>(T, MemoryCache);

impl<T: Sync + ToString> Generic<T> {
    #[cached(ttl = 60, key = "<Self>:text:<self.0.to_string()>", cache = self.1)]
    async fn text(&self) -> String {
        self.0.to_string()
    }
}

#[tokio::test]
async fn a_generic_function_is_one() {
    let cache = MemoryCache::new(10);
    for _ in 0..2 {
        assert_eq!(Generic(1_u8, cache.clone()).text().await, "1");
        assert_eq!(Generic("1", cache.clone()).text().await, "1");
    }
    let stats = cache.stats();
    assert_eq!((stats.refused_keys, stats.hits), (0, 2));
}

trait Table {
    const ROWS: u64;
}

struct Users;
struct Orders;

impl Table for Users {
    const ROWS: u64 = 1;
}

impl Table for Orders {
    const ROWS: u64 = 2;
}

trait Counts<T> {
    async fn count(&self, id: u64) -> u64;
    fn of_self(&self, id: u64) -> u64;
    fn named(&self, id: u64) -> u64;
    async fn several(&self, ids: &[u64]) -> Vec<u64>;
}

struct Database(MemoryCache);

/// No source shows of which trait it is.
macro_rules! counts {
    ($T:ident) => {
        impl<$T: Table> Counts<$T> for Database {
            #[cached(ttl = 60, key = "count:<id>", skip(self), cache = self.0)]
            async fn count(&self, id: u64) -> u64 {
                $T::ROWS * 100 + id
            }

            #[cached(ttl = 60, key = "<Self>:<id>", skip(self), cache = self.0)]
            fn of_self(&self, id: u64) -> u64 {
                $T::ROWS * 100 + id
            }

            #[cached(ttl = 60, key = "named:<T>:<id>", skip(self), cache = self.0)]
            fn named(&self, id: u64) -> u64 {
                $T::ROWS * 100 + id
            }

            #[larder::cached_many(ttl = 60, key = "many:<id>", each = id in ids, skip(self), cache = self.0)]
            async fn several(&self, ids: &[u64]) -> Vec<u64> {
                ids.iter().map(|id| $T::ROWS * 100 + id).collect()
            }
        }
    };
}

counts!(T);

#[tokio::test]
async fn a_trait_with_other_parameters_is_another_function() {
    larder_warnings::listen();
    let database = Database(MemoryCache::new(100));
    for _ in 0..2 {
        for (id, expected) in [(7, [107, 207]), (8, [108, 208])] {
            let counts =
                [Counts::<Users>::count(&database, id).await, Counts::<Orders>::count(&database, id).await];
            assert_eq!(counts, expected);
            let counts = [Counts::<Users>::of_self(&database, id), Counts::<Orders>::of_self(&database, id)];
            assert_eq!(counts, expected);
            let counts = [Counts::<Users>::named(&database, id), Counts::<Orders>::named(&database, id)];
            assert_eq!(counts, expected);
            assert_eq!(Counts::<Users>::several(&database, &[id]).await, expected[..1]);
            assert_eq!(Counts::<Orders>::several(&database, &[id]).await, expected[1..]);
        }
    }
    assert_eq!(database.0.stats().hits, 4 * 2 + 2, "what names the parameter, and those that came first");
    let warnings = larder_warnings::heard(&["several parameters of its trait", "Counts<", "count:<>"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

/// Both functions are on one line of one file.
macro_rules! rows {
    ($($table:ident),*) => {
        $(impl $table {
            #[cached(ttl = 60, key = "identity:row:<id>", skip(self))]
            async fn get(&self, id: u64) -> String {
                format!("{} {id}", stringify!($table))
            }
        })*
    };
}

rows!(Users, Orders);

#[tokio::test]
async fn functions_that_one_macro_call_made_are_told_apart() {
    for _ in 0..2 {
        assert_eq!((Users.get(7).await, Orders.get(7).await), ("Users 7".to_owned(), "Orders 7".to_owned()));
    }
}

/// In two bodies, and even in one.
macro_rules! both {
    ($name:ident) => {
        async fn one(id: u64) -> [u64; 2] {
            let first = {
                #[larder::cached(ttl = 60, key = "identity:both:<id>")]
                async fn $name(id: u64) -> u64 {
                    id + 10
                }
                $name(id).await
            };
            #[larder::cached(ttl = 60, key = "identity:both:<id>")]
            async fn $name(id: u64) -> u64 {
                id + 20
            }
            [first, $name(id).await]
        }

        fn two(id: u64) -> u64 {
            #[larder::cached(ttl = 60, key = "identity:both:<id>")]
            fn $name(id: u64) -> u64 {
                id + 30
            }
            $name(id)
        }
    };
}

both!(inner);

#[tokio::test]
async fn functions_of_one_name_that_one_macro_call_made_are_told_apart() {
    for _ in 0..2 {
        assert_eq!((one(1).await, two(1)), ([11, 21], 31));
    }
}

#[cached(ttl = 60, key = "tenant:<id>", cache = cache, skip(cache))]
async fn of_tenant(cache: &Namespace, id: u64) -> u64 {
    id + 100
}

#[cached(ttl = 60, key = "tenant:<id>", cache = cache, skip(cache))]
async fn other_of_tenant(cache: &Namespace, id: u64) -> u64 {
    id + 200
}

#[tokio::test]
async fn a_function_that_has_its_keys_in_one_namespace_has_not_those_of_others() {
    let cache = MemoryCache::new(100);
    let [a, b] = ["a", "b"].map(|name| cache.namespace(name));
    for _ in 0..2 {
        assert_eq!(of_tenant(&a, 7).await, 107);
        assert_eq!(other_of_tenant(&b, 7).await, 207);
        assert_eq!(of_tenant(&b, 7).await, 107);
        assert_eq!(other_of_tenant(&a, 7).await, 207);
    }
    assert_eq!(cache.stats().hits, 2);
}

trait Load: Clone + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static {
    fn load(id: u64) -> Self;
}

impl Load for u64 {
    fn load(id: u64) -> Self {
        id
    }
}

impl Load for String {
    fn load(id: u64) -> Self {
        format!("loaded {id}")
    }
}

#[cached(ttl = 60, key = "identity:load:<id>", skip(T))]
async fn load<T: Load>(id: u64) -> T {
    T::load(id)
}

#[cached(ttl = 60, key = "identity:load:<id>")]
async fn text(id: u64) -> String {
    format!("text {id}")
}

#[tokio::test]
async fn a_function_that_has_the_keys_of_one_type_has_not_those_of_others() {
    for _ in 0..2 {
        assert_eq!(load::<u64>(7).await, 7);
        assert_eq!(text(7).await, "text 7");
        assert_eq!(load::<String>(7).await, "loaded 7");
    }
}
