//! `Namespace`: a part of a cache, by the prefix of its keys.

use std::{fmt, sync::Arc};

use crate::{
    cache::{Cache, Invalidating, Storage, Strength},
    cache_core::Core,
    deferred,
    memory::builder::MemoryCacheBuilder,
    policy::Policy,
    scope::Scope,
};

/// A part of a cache: all keys that begin with its name and a `:`.
///
/// An entry of a namespace *is* that entry of the cache: `cache.namespace("users").get("7")` and
/// `cache.get("users:7")` are the same. What the namespace adds is that the prefix is written once,
/// and that [`bump`](Self::bump) drops all of it at once, in O(1), on every node. It is a [`Cache`]
/// itself, so all verbs work on it, and namespaces nest. Cheap to clone.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let cache = MemoryCache::new(10_000);
/// let users = cache.namespace("users");
/// users.insert("7", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(60))).await?;
/// assert_eq!(cache.get::<String>("users:7").await?.as_deref(), Some("Ada"));
///
/// users.bump().await;
/// assert_eq!(users.get::<String>("7").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Namespace {
    cache: Arc<dyn Cache>,
    core: Core,
    /// Up to the name and its `:`.
    root: Arc<str>,
    /// What is put in front of keys: the root, and the schema.
    prefix: Arc<str>,
    schema: Option<u32>,
}

/// Which version a [`Namespace`] is at; for people, and never a part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Version {
    /// The schema that was set, if any.
    pub schema: Option<u32>,
    /// Grows whenever the whole namespace is invalidated in this process; zero before the first time.
    pub change: u64,
}

impl Namespace {
    pub(crate) fn new<C: Cache + ?Sized>(cache: &C, name: &str) -> Self {
        let root: Arc<str> = format!("{}{name}:", cache.prefix()).into();
        Self { cache: cache.share(), core: cache.core().clone(), prefix: root.clone(), root, schema: None }
    }

    /// Puts a version of the values' shape into the prefix: `users:v3:…`. A release that changes what its
    /// values mean sets a new one, and neither reads the other's entries.
    #[must_use]
    pub fn schema(mut self, version: u32) -> Self {
        self.prefix = format!("{}v{version}:", self.root).into();
        self.schema = Some(version);
        self
    }

    /// Invalidates everything in this namespace, in all schemas, on every node. O(1). As with
    /// [`invalidate`](crate::CacheExt::invalidate), it is done when this returns, and awaiting tells how
    /// far it has come.
    pub fn bump(&self) -> Invalidating {
        deferred::invalidate(self, &[self.scope()], Strength::Hard)
    }

    /// The version it is at, as far as this process knows.
    #[must_use]
    pub fn version(&self) -> Version {
        let change = self.core.epochs().last_change(self.scope().hash());
        Version { schema: self.schema, change }
    }

    fn scope(&self) -> Scope {
        Scope::prefix(&*self.root)
    }
}

impl Cache for Namespace {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self.cache.storage()
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }

    #[inline]
    fn prefix(&self) -> &str {
        &self.prefix
    }

    /// That of the cache, unless [`with_policy`](crate::CacheExt::with_policy) gives the namespace one.
    fn default_policy(&self) -> Option<&Policy> {
        self.cache.default_policy()
    }

    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        let cache = self.cache.with_memory(memory)?;
        Some(Arc::new(Self { cache, ..self.clone() }))
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
