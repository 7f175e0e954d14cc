//! Installed caches, and the set of them that a program has.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, OnceLock},
};

use arc_swap::ArcSwap;

use crate::{
    cache::{Cache, Storage},
    cache_core::Core,
    error::Kind,
    memory::builder::MemoryCacheBuilder,
    policy::Policy,
    sync::plain::{Mutex, lock},
};

/// An installed cache. What a hit touches lies beside the trait object, not behind it.
pub struct Installed {
    core: Core,
    prefix: String,
    cache: Box<dyn Cache>,
    by_first_use: bool,
}

/// The caches of a program; or, in tests, of one of them.
pub(crate) struct Registry {
    pub(super) global: OnceLock<Installed>,
    pub(super) named: LazyLock<ArcSwap<HashMap<String, &'static Installed>>>,
    pub(super) policies: LazyLock<ArcSwap<HashMap<String, Policy>>>,
    one_at_a_time: Mutex<()>,
}

impl Registry {
    pub(crate) const fn new() -> Self {
        Self {
            global: OnceLock::new(),
            named: LazyLock::new(ArcSwap::default),
            policies: LazyLock::new(ArcSwap::default),
            one_at_a_time: Mutex::new(()),
        }
    }

    /// Gives policies names, in place of those that they had.
    pub(super) fn insert_policies(&self, policies: Vec<(String, Policy)>) {
        let _guard = lock(&self.one_at_a_time);
        let mut all = HashMap::clone(&self.policies.load());
        all.extend(policies);
        self.policies.store(Arc::new(all));
    }

    /// What has this name, and whether it is what `make` made.
    pub(super) fn insert_named(
        &self,
        name: &str,
        make: &mut dyn FnMut() -> Installed,
    ) -> (&'static Installed, bool) {
        let _guard = lock(&self.one_at_a_time);
        let mut all = HashMap::clone(&self.named.load());
        if let Some(there) = all.get(name) {
            return (there, false);
        }
        let made: &'static Installed = Box::leak(Box::new(make()));
        all.insert(name.to_owned(), made);
        self.named.store(Arc::new(all));
        (made, true)
    }
}

impl Installed {
    pub(super) fn new(name: &str, cache: impl Cache + 'static, by_first_use: bool) -> Self {
        cache.core().set_name(name);
        let (core, prefix) = (cache.core().clone(), cache.prefix().to_owned());
        Self { core, prefix, cache: Box::new(cache), by_first_use }
    }

    /// Why this name cannot be given to another cache.
    pub(super) fn refusal(&self, name: &str) -> Kind {
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

    fn default_policy(&self) -> Option<&Policy> {
        self.cache.default_policy()
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
