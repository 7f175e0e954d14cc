//! What a cache on Redis does with its entries.

use std::{ops::RangeInclusive, time::Duration};

use super::sealing::Sealing;
use crate::{
    epoch::DEFAULT_SLOTS,
    error::{Kind, Result},
    wire::Wire,
};

/// What to do while the invalidation log is out of touch, so that changes that other processes make are not
/// heard of. What this process changes itself counts at once in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutOfTouch {
    /// Serves what is in memory until its `ttl` and stale windows end.
    #[default]
    Serve,
    /// Serves nothing any more after this long, and computes instead: no value is served that another process
    /// invalidated longer ago, even if this process was stopped meanwhile, or the link was half open. At least
    /// 10 ms; less is taken for that. The shorter it is, the more often an idle log is asked: three times in
    /// this time.
    Bypass(Duration),
}

impl OutOfTouch {
    pub(super) const SHORTEST: Duration = Duration::from_millis(10);
}

/// Beyond a day it is a mistake, and far beyond it no clock can be added to it.
const LEASE_LIFETIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

/// The part of a [`RedisCacheBuilder`](super::RedisCacheBuilder) that is not about connections.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) wire: Wire,
    pub(super) sealing: Sealing,
    pub(super) scope_slots: usize,
    pub(super) out_of_touch: OutOfTouch,
    pub(super) lease_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wire: Wire::default(),
            sealing: Sealing::default(),
            scope_slots: DEFAULT_SLOTS,
            out_of_touch: OutOfTouch::default(),
            lease_lifetime: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// What a builder cannot check by its types.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(fault) = self.wire.codecs.fault() {
            return Err(Kind::configuration(fault).into());
        }
        if !self.wire.compression.is_available() {
            let text = "zstd needs larder's feature `zstd`, which is not enabled";
            return Err(Kind::configuration(text.to_owned()).into());
        }
        self.sealing.check()?;
        if !LEASE_LIFETIMES.contains(&self.lease_lifetime) {
            let text = format!("lease_lifetime is {:?}; 100 ms to a day are allowed", self.lease_lifetime);
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }
}
