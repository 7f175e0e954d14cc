//! The caches of a program, by name: what the macros use unless told otherwise.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, OnceLock},
};

use arc_swap::ArcSwap;

use crate::{
    cache::{Cache, Storage},
    cache_core::Core,
    error::{Kind, Result},
    memory::{MemoryCache, builder::MemoryCacheBuilder},
    sync::plain::{Mutex, lock},
};

/// An installed cache. What a hit touches lies beside the trait object, not behind it.
pub struct Installed {
    core: Core,
    prefix: String,
    cache: Box<dyn Cache>,
    by_first_use: bool,
}

static GLOBAL: OnceLock<Installed> = OnceLock::new();
static NAMED: LazyLock<ArcSwap<HashMap<String, &'static Installed>>> = LazyLock::new(ArcSwap::default);

/// The name of the cache that [`global`] returns, in errors.
const GLOBAL_NAME: &str = "global";

/// Installs the cache that [`global`] returns, and that the macros use unless told otherwise. Once, at the
/// start of the program.
///
/// # Errors
///
/// If it was installed before, or used before: the first use fixes an in-process default.
pub fn install(cache: impl Cache + 'static) -> Result<()> {
    GLOBAL.set(Installed::new(cache, false)).map_err(|_| GLOBAL.wait().refusal(GLOBAL_NAME).into())
}

/// Installs the cache that [`named`] returns for this name. Once, at the start of the program.
///
/// # Errors
///
/// If it was installed before, or used before: the first use fixes an in-process default.
pub fn install_as(name: impl Into<String>, cache: impl Cache + 'static) -> Result<()> {
    let name = name.into();
    let mut cache = Some(Installed::new(cache, false));
    let (there, inserted) = insert_named(&name, &mut || cache.take().expect("a cache is made once"));
    if inserted { Ok(()) } else { Err(there.refusal(&name).into()) }
}

/// The installed cache. If none was installed before the first call, it is an in-process one of 10,000
/// entries from then on.
#[inline]
pub fn global() -> &'static Installed {
    GLOBAL.get_or_init(in_process)
}

/// The cache installed under this name. If none was installed before the first call, it is an in-process
/// one of 10,000 entries from then on, and a warning says so.
///
/// Names live as long as the program: let them be few and fixed.
pub fn named(name: &str) -> &'static Installed {
    if let Some(there) = NAMED.load().get(name) {
        return there;
    }
    let (there, inserted) = insert_named(name, &mut in_process);
    if inserted {
        crate::panic_guard::report!(
            warn,
            name,
            "no cache was installed under this name; using an in-process one of its own"
        );
    }
    there
}

fn in_process() -> Installed {
    const ENTRIES: u64 = 10_000;
    Installed::new(MemoryCache::new(ENTRIES), true)
}

/// What has this name, and whether it is what `make` made.
fn insert_named(name: &str, make: &mut dyn FnMut() -> Installed) -> (&'static Installed, bool) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = lock(&ONE_AT_A_TIME);
    let mut all = HashMap::clone(&NAMED.load());
    if let Some(there) = all.get(name) {
        return (there, false);
    }
    let made: &'static Installed = Box::leak(Box::new(make()));
    all.insert(name.to_owned(), made);
    NAMED.store(Arc::new(all));
    (made, true)
}

impl Installed {
    fn new(cache: impl Cache + 'static, by_first_use: bool) -> Self {
        let (core, prefix) = (cache.core().clone(), cache.prefix().to_owned());
        Self { core, prefix, cache: Box::new(cache), by_first_use }
    }

    /// Why this name cannot be given to another cache.
    fn refusal(&self, name: &str) -> Kind {
        let name = name.to_owned();
        if self.by_first_use { Kind::AlreadyUsed { name } } else { Kind::AlreadyInstalled { name } }
    }
}

impl Cache for Installed {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self.cache.storage()
    }

    fn share(&self) -> Arc<dyn Cache> {
        self.cache.share()
    }

    #[inline]
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        self.cache.with_memory(memory)
    }
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installed").field("core", &self.core).finish_non_exhaustive()
    }
}
