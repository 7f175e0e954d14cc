//! What a cache on Redis does with its entries.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    epoch::DEFAULT_SLOTS,
    error::{Kind, Result},
    shared_entries::Sealing,
    shared_log::disconnect_policy::DisconnectPolicy,
    wire::Wire,
};

/// Beyond a day it is a mistake, and far beyond it no clock can be added to it.
const LEASE_LIFETIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

/// The part of a [`RedisCacheBuilder`](super::RedisCacheBuilder) that is not about connections.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) wire: Wire,
    pub(super) sealing: Sealing,
    pub(super) scope_slots: usize,
    pub(super) on_disconnect: DisconnectPolicy,
    pub(super) lease_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wire: Wire::default(),
            sealing: Sealing::default(),
            scope_slots: DEFAULT_SLOTS,
            on_disconnect: DisconnectPolicy::default(),
            lease_lifetime: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// What a builder cannot check by its types.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(fault) = self.wire.fault() {
            return Err(Kind::configuration(fault).into());
        }
        self.sealing.check()?;
        if !LEASE_LIFETIMES.contains(&self.lease_lifetime) {
            let text = format!("lease_lifetime is {:?}; 100 ms to a day are allowed", self.lease_lifetime);
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }
}
