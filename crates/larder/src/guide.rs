//! Longer reading: how to use it, why it works, and what it saves.

#[doc = include_str!("../docs/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../docs/coming-from.md")]
pub mod coming_from {}

#[doc = include_str!("../docs/lifetimes.md")]
pub mod lifetimes {}

#[doc = include_str!("../docs/one-rule.md")]
pub mod one_rule {}

#[cfg(all(feature = "limit", feature = "redis"))]
#[doc = include_str!("../docs/outages.md")]
pub mod outages {}

#[cfg(all(feature = "limit", feature = "redis"))]
#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/sizing.md")]
pub mod sizing {}

#[doc = include_str!("../docs/by-hand.md")]
pub mod by_hand {}

#[doc = include_str!("../docs/transactions.md")]
pub mod transactions {}

#[cfg(feature = "disk")]
#[doc = include_str!("../docs/disk.md")]
pub mod disk {}

#[cfg(all(feature = "metrics", feature = "redis"))]
#[doc = include_str!("../docs/operate.md")]
pub mod operate {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/redis.md")]
pub mod redis {}

#[cfg(all(feature = "redis", feature = "seal"))]
#[doc = include_str!("../docs/seal.md")]
pub mod seal {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/values.md")]
pub mod values {}

/// The documentation of the macros: its examples need this crate.
#[cfg(doctest)]
mod macros {
    #[doc = include_str!("../../larder-macros/docs/cached.md")]
    mod cached {}

    #[doc = include_str!("../../larder-macros/docs/cached_many.md")]
    mod cached_many {}

    #[doc = include_str!("../../larder-macros/docs/invalidate.md")]
    mod invalidate {}

    #[doc = include_str!("../../larder-macros/docs/cache_put.md")]
    mod cache_put {}

    /// A constant that is no fraction does not compile; one that is, does.
    ///
    /// ```compile_fail
    /// const JITTER: f64 = 1.5;
    ///
    /// #[larder::cached(ttl = 300, jitter = JITTER)]
    /// async fn user(id: u64) -> u64 {
    ///     id
    /// }
    /// ```
    ///
    /// ```
    /// const JITTER: f64 = 0.5;
    ///
    /// #[larder::cached(ttl = 300, jitter = JITTER)]
    /// async fn user(id: u64) -> u64 {
    ///     id
    /// }
    /// ```
    mod constants_are_checked {}
}
