//! No function is served what another one computed: the key is made of all that the result depends on, the function
//! included.

use std::sync::atomic::Ordering;

use larder::{CacheExt, MemoryCache, cached};

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
