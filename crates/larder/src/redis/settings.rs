//! What a cache on Redis does with its entries.

use std::{ops::RangeInclusive, time::Duration};

use super::config::RedisCacheBuilder;
use crate::{
    epoch::DEFAULT_SLOTS,
    error::{Kind, Result},
    wire::{Codec, Compression, Wire},
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

/// The part of a [`RedisCacheBuilder`] that is not about connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) wire: Wire,
    pub(super) scope_slots: usize,
    pub(super) out_of_touch: OutOfTouch,
    pub(super) lease_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wire: Wire::default(),
            scope_slots: DEFAULT_SLOTS,
            out_of_touch: OutOfTouch::default(),
            lease_lifetime: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// What a builder cannot check by its types.
    pub(super) fn check(&self) -> Result<()> {
        let Wire { codec, compression, .. } = self.wire;
        let missing = [(codec.is_available(), codec.name()), (compression.is_available(), "zstd")];
        if let Some((_, name)) = missing.into_iter().find(|(available, _)| !available) {
            let text = format!("{name} needs larder's feature `{name}`, which is not enabled");
            return Err(Kind::configuration(text).into());
        }
        if !LEASE_LIFETIMES.contains(&self.lease_lifetime) {
            let text = format!("lease_lifetime is {:?}; 100 ms to a day are allowed", self.lease_lifetime);
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }
}

impl RedisCacheBuilder {
    /// How values are encoded; [`Codec::MessagePack`] by default. Values of any codec are read.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.settings.wire.codec = codec;
        self
    }

    /// How encoded values above 1 KiB are compressed; [`Compression::Lz4`] by default. Values of any compression
    /// are read.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.wire.compression = compression;
        self
    }

    /// The largest value that is stored in Redis or read from there, in bytes as it lies there; 128 MiB by
    /// default. A larger one stays in memory only, and is counted.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.settings.wire.limits.largest_stored = bytes;
        self
    }

    /// The largest value before compression, in bytes; 256 MiB by default: what reading one value may take in
    /// memory for its bytes, whatever wrote it.
    pub fn largest_raw_value(mut self, bytes: usize) -> Self {
        self.settings.wire.limits.largest_raw = bytes;
        self
    }

    /// See [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots). Here as many again are
    /// for the order of the log. Of caches with one prefix on one server, the first one decides.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.settings.scope_slots = slots;
        self
    }

    /// What to do while changes made by other processes are not heard of; [`OutOfTouch::Serve`] by default. Of
    /// caches with one prefix on one server in a process, the strictest counts for all.
    pub fn out_of_touch(mut self, policy: OutOfTouch) -> Self {
        self.settings.out_of_touch = policy;
        self
    }

    /// How long a caller waits at most for a computation of the same key in another process, before it computes
    /// itself: 100 ms to a day, 10 s by default. A process that dies while it computes is noticed after a third of that.
    pub fn lease_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.lease_lifetime = lifetime;
        self
    }
}
