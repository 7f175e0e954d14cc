//! What the macros write compiles where every lint is forbidden: nothing in it can allow one.

#![forbid(
    warnings,
    future_incompatible,
    keyword_idents,
    let_underscore,
    nonstandard_style,
    refining_impl_trait,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    unused
)]
#![forbid(
    absolute_paths_not_starting_with_crate,
    ambiguous_negative_literals,
    dead_code,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    impl_trait_redundant_captures,
    let_underscore_drop,
    macro_use_extern_crate,
    missing_abi,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_ascii_idents,
    non_camel_case_types,
    private_bounds,
    private_interfaces,
    redundant_imports,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_code,
    unreachable_pub,
    unsafe_code,
    unused_extern_crates,
    unused_import_braces,
    unused_imports,
    unused_lifetimes,
    unused_mut,
    unused_qualifications,
    unused_results,
    unused_variables,
    variant_size_differences
)]
#![forbid(clippy::all, clippy::pedantic, clippy::nursery)]
#![forbid(
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::diverging_sub_expression,
    clippy::empty_loop,
    clippy::exhaustive_structs,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::infinite_loop,
    clippy::let_underscore_must_use,
    clippy::let_underscore_untyped,
    clippy::let_with_type_underscore,
    clippy::multiple_inherent_impl,
    clippy::needless_return,
    clippy::panic,
    clippy::redundant_type_annotations,
    clippy::same_name_method,
    clippy::semicolon_inside_block,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{MemoryCache, cache_put, cached, cached_many, invalidate};

static COUNT: AtomicU64 = AtomicU64::new(0);
const WINDOW: Duration = Duration::from_secs(60);

async fn count() -> u64 {
    tokio::task::yield_now().await;
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Nothing uses its companions.
///
/// # Errors
///
/// If nothing is to be added.
#[cached(ttl = 60, key = "forbidden:<id>:<name>:<left>", skip(_token, right))]
pub async fn free(_token: &str, mut id: u64, name: String, (left, right): (u8, u8)) -> Result<u64, String> {
    id += u64::from(left) + u64::from(right);
    if id == 0 {
        return Err(name);
    }
    Ok(id + count().await)
}

/// Everything at once, in the background.
///
/// # Errors
///
/// None.
#[cached(
    ttl = "1h",
    key = "<id>:<pair>",
    skip(_token, unused, other),
    tags = ["org:<id>"],
    namespace = "forbidden",
    schema = 3,
    cache = larder::named("forbidden"),
    when = *id > 0,
    negative_ttl = 30,
    jitter = 0.1,
    stale_while_revalidate = WINDOW,
    stale_if_error = WINDOW * 60,
    refresh_ahead = 0.8,
    timeout = "200ms",
    detached
)]
pub async fn background(
    _token: &str,
    id: &u64,
    unused: &str,
    &(ref pair, other): &(String, u8),
) -> Result<Option<u64>, String> {
    Ok((*id > 1).then_some(count().await + u64::try_from(pair.len()).unwrap_or_default()))
}

/// With parameters.
#[cached(ttl = 60, key = "forbidden:<T>:<N>:<value>")]
pub async fn generic<T: std::fmt::Display + Sync, const N: usize>(value: &T) -> String {
    let number = count().await;
    format!("{value}{N}{number}")
}

/// Nothing is returned.
#[cached(ttl = 60, key = "forbidden:unit")]
pub async fn unit() {
    assert!(count().await < 1_000);
}

/// Where the expansion's paths have further to go.
pub mod inner {
    use larder::cached;

    /// With a key of its own.
    #[cached(ttl = 60)]
    pub async fn private(id: u64) -> u64 {
        id + super::count().await
    }
}

/// Seven arguments, as many as Clippy takes.
#[cached(ttl = 60, skip(a, b, c, d, e, f, g))]
pub async fn seven(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u64 {
    count().await + u64::from(a + b + c + d + e + f + g)
}

/// A change.
///
/// # Errors
///
/// None.
#[invalidate("forbidden:<id>:<result>", "forbidden:*", tags = ["org:<id>"], on = ok)]
pub async fn change(_token: &str, id: u64) -> Result<u64, String> {
    Ok(id + count().await)
}

/// A change of what functions keep.
///
/// # Errors
///
/// None.
#[invalidate(unit(), inner::private(id), inner::private(*result), generic::<String, 3>(..), free(..), on = ok)]
pub async fn change_functions(_token: &str, id: u64) -> Result<u64, String> {
    Ok(id + count().await)
}

/// A change that is not async.
#[must_use]
#[invalidate(inner::private(..), if = id > 0)]
pub fn change_blocking(id: u64) -> u64 {
    id + COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Of a list.
///
/// # Errors
///
/// If nothing is to be found.
#[cached_many(ttl = 60, key = "forbidden:of:<id>:<name>", each = id in ids, skip(_token, more))]
pub async fn many(
    _token: &str,
    ids: &[u64],
    name: String,
    mut more: Vec<u64>,
) -> Result<HashMap<u64, String>, String> {
    more.extend(ids);
    if more.is_empty() {
        return Err(name);
    }
    let number = count().await;
    Ok(more.into_iter().map(|id| (id, format!("{name}{number}"))).collect())
}

/// A write.
#[cache_put(ttl = 60, key = "forbidden:<id>")]
pub async fn put(_token: &str, id: u64) -> Option<u64> {
    Some(id + count().await)
}

/// A service.
#[derive(Debug)]
pub struct Service<T> {
    cache: MemoryCache,
    tenant: T,
}

impl<T: std::fmt::Display + Send + Sync> Service<T> {
    /// A method with companions, of which nothing is used.
    #[cached(ttl = 60, key = "<Self>:<self.tenant>:<id>", skip(_token), cache = self.cache, companions)]
    pub async fn method(&self, _token: &str, id: u64) -> u64 {
        id + count().await
    }

    /// A change of what a method keeps.
    #[invalidate(self.method(id), Self::with_prefix(..))]
    pub async fn change(&mut self, id: u64) -> u64 {
        id + count().await
    }

    /// A function without `self`.
    #[cached(ttl = 60, key = "forbidden:prefix:<T>:<id>", companions)]
    pub async fn with_prefix(id: u64) -> u64 {
        id + count().await
    }

    /// Of a list.
    #[cached_many(ttl = 60, key = "<T>:<self.tenant>:of:<id>", each = id in ids, cache = self.cache, companions)]
    pub async fn many(&self, ids: Vec<u64>) -> Vec<u64> {
        let number = count().await;
        ids.into_iter().map(|id| id + number).collect()
    }

    #[cached(ttl = 60, key = "<T>:<self.tenant>:<id>", cache = self.cache)]
    async fn alone(&self, id: u64) -> u64 {
        id + count().await
    }
}

impl Service<u8> {
    #[cached(ttl = 60, key = "concrete:<id>", cache = self.cache, skip(self))]
    async fn concrete(&self, id: u64) -> u64 {
        id + count().await
    }
}

// `#[tokio::test]` allows lints.
#[test]
fn what_is_forbidden_compiles_and_runs() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(calls());
    Ok(())
}

async fn calls() {
    let pair = || (String::from("a"), 1);
    for _ in 0..2 {
        assert!(free("", 1, String::new(), (1, 2)).await.is_ok());
        assert!(background("", &2, "", &pair()).await.is_ok());
        assert!(generic::<_, 3>(&1).await.starts_with("13"));
        unit().await;
        assert!(inner::private(1).await > 0);
        assert!(seven(1, 1, 1, 1, 1, 1, 1).await > 6);
        assert!(put("", 1).await.is_some());
        assert!(many("", &[1, 2], String::new(), vec![]).await.is_ok());
        let mut service = Service { cache: MemoryCache::new(10), tenant: 1_u8 };
        assert_eq!(service.method("", 1).await, service.method("", 1).await);
        assert!(service.change(1).await > 0);
        assert_eq!(service.many(vec![1]).await, service.many(vec![1]).await);
        assert_eq!(service.alone(1).await, service.alone(1).await);
        assert_eq!(service.concrete(1).await, service.concrete(1).await);
    }
    assert!(change("", 1).await.is_ok());
    assert!(change_functions("", 1).await.is_ok());
    assert!(change_blocking(1) > 0);
}
