//! Longer reading: how to use it, why it works, and what it saves.

#[doc = include_str!("../docs/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../docs/coming-from.md")]
pub mod coming_from {}

#[doc = include_str!("../docs/one-rule.md")]
pub mod one_rule {}

#[doc = include_str!("../docs/by-hand.md")]
pub mod by_hand {}

#[doc = include_str!("../docs/transactions.md")]
pub mod transactions {}

#[cfg(all(feature = "metrics", feature = "redis"))]
#[doc = include_str!("../docs/operate.md")]
pub mod operate {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/redis.md")]
pub mod redis {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/values.md")]
pub mod values {}
