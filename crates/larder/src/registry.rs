//! The caches of a program, by name: what the macros use unless told otherwise.

mod current;
pub(crate) mod installed;

pub(crate) use self::current::carry;
use self::{current::registry, installed::Installed};
use crate::{cache::Cache, error::Result, memory::MemoryCache};

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

/// The caches that are there now, by their names: to ask for them fixes none.
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "for an exporter"))]
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
