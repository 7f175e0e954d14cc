//! The caches of a program, by name: what the macros use unless told otherwise.

mod current;
pub(crate) mod installed;

pub(crate) use self::current::carry;
use self::{current::registry, installed::Installed};
use crate::{cache::Cache, error::Result, memory::MemoryCache, policy::Policy};

/// The name of the cache that [`global`] returns, in errors.
const GLOBAL_NAME: &str = "global";

/// Installs the cache that [`global`] returns, and that the macros use unless told otherwise. Once, at the
/// start of the program.
///
/// # Errors
///
/// If it was installed before, or used before: the first use fixes an in-process default.
pub fn install(cache: impl Cache + 'static) -> Result<()> {
    let global = &registry().global;
    global
        .set(Installed::new(GLOBAL_NAME, cache, false))
        .map_err(|_| global.wait().refusal(GLOBAL_NAME).into())
}

/// Installs the cache that [`named`] returns for this name. Once, at the start of the program.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, cached};
///
/// #[cached(ttl = 60, key = "thumbnail:<id>", cache = named("images"))]
/// async fn thumbnail(id: u64) -> Vec<u8> {
///     vec![0; 16]
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// larder::install_as("images", MemoryCache::new(500))?; // apart from what else is cached
/// thumbnail(7).await;
/// assert!(larder::named("images").contains("thumbnail:7").await?);
/// assert!(larder::install_as("images", MemoryCache::new(500)).is_err(), "it is there");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If it was installed before, or used before: the first use fixes an in-process default.
pub fn install_as(name: impl Into<String>, cache: impl Cache + 'static) -> Result<()> {
    let name = name.into();
    let mut cache = Some(Installed::new(&name, cache, false));
    let (there, inserted) =
        registry().insert_named(&name, &mut || cache.take().expect("a cache is made once"));
    if inserted { Ok(()) } else { Err(there.refusal(&name).into()) }
}

/// The installed cache. If none was installed before the first call, it is an in-process one of 10,000
/// entries from then on.
#[inline]
pub fn global() -> &'static Installed {
    registry().global.get_or_init(|| in_process(GLOBAL_NAME))
}

/// The cache installed under this name. If none was installed before the first call, it is an in-process
/// one of 10,000 entries from then on, and a warning says so.
///
/// Names live as long as the program: let them be few and fixed.
pub fn named(name: &str) -> &'static Installed {
    let registry = registry();
    if let Some(there) = registry.named.load().get(name) {
        return there;
    }
    let (there, inserted) = registry.insert_named(name, &mut || in_process(name));
    if inserted {
        crate::panic_guard::report!(
            warn,
            name,
            "no cache was installed under this name; using an in-process one of its own"
        );
    }
    there
}

/// Gives policies names, by which functions take them: `#[cached(ttl = named("metrics"))]`. At the start of a program,
/// from its configuration; or later, in place of what has the name by then: a value that is there keeps the time that it
/// was stored for.
///
/// ```
/// use std::collections::HashMap;
///
/// use larder::{Policy, cached};
///
/// #[cached(ttl = named("metrics"), key = "metric:<name>")]
/// async fn metric(name: &str) -> u64 {
///     // SELECT …
/// #   name.len() as u64
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = r#"{ "metrics": { "ttl": "5m", "stale_if_error": "1h" }, "users": { "ttl": 60 } }"#;
/// let policies: HashMap<String, Policy> = serde_json::from_str(file)?;
/// larder::install_policies(policies);
///
/// assert_eq!(metric("requests").await, 8);
/// # use larder::CacheExt as _;
/// # assert_eq!(larder::global().stats().stores, 1);
/// # Ok(())
/// # }
/// ```
///
/// A function whose name was given to no policy runs whenever it is called, and a warning says so once.
pub fn install_policies<N: Into<String>>(policies: impl IntoIterator<Item = (N, Policy)>) {
    registry().insert_policies(policies.into_iter().map(|(name, policy)| (name.into(), policy)).collect());
}

/// The policy of this name.
pub(crate) fn policy(name: &str) -> Option<Policy> {
    registry().policies.load().get(name).cloned()
}

/// The caches that are there now, by their names: to ask for them fixes none.
#[cfg_attr(
    not(any(feature = "metrics", feature = "opentelemetry")),
    expect(dead_code, reason = "for an exporter")
)]
pub(crate) fn installed() -> Vec<(String, &'static Installed)> {
    let registry = registry();
    let global = registry.global.get().map(|cache| (GLOBAL_NAME.to_owned(), cache));
    let named = registry.named.load();
    global.into_iter().chain(named.iter().map(|(name, &cache)| (name.clone(), cache))).collect()
}

fn in_process(name: &str) -> Installed {
    const ENTRIES: u64 = 10_000;
    Installed::new(name, MemoryCache::new(ENTRIES), true)
}
