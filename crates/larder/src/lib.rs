//! A caching library for Rust services.

mod cache;
mod clock;
mod compute;
mod core;
mod dependencies;
mod entry;
mod epoch;
mod error;
mod failure;
mod flight;
mod key;
mod memory;
mod namespace;
mod near;
mod none;
mod policy;
#[doc(hidden)]
pub mod private;
mod registry;
mod scope;
mod stats;
mod sync;
mod typed;

pub use self::{
    cache::{Cache, Invalidating, Invalidation},
    core::{Core, CoreBuilder, Lookup},
    dependencies::{Context, InComputation, context, in_current_computation},
    entry::Entry,
    epoch::{Epoch, Since},
    error::{Error, Result, SharedError},
    memory::{Eviction, MemoryCache, MemoryCacheBuilder},
    namespace::{Namespace, Version},
    policy::{Lock, Policy, PolicyBuilder},
    registry::{Installed, global, install, install_as, named},
    scope::{Scope, ScopeHash, Scopes},
    stats::CacheStats,
    typed::{CacheExt, Value},
};

pub use larder_macros::{cache_put, cached, invalidate};
