//! What can be set of entries, of the log and of leases.

use std::time::Duration;

use super::builder::RedisCacheBuilder;
use crate::{
    shared_log::disconnect_policy::DisconnectPolicy,
    wire::{
        BuiltIn, Compression,
        codec::{AnyCodec, Codec},
    },
};

impl RedisCacheBuilder {
    /// How values are encoded: by a codec of [`larder::codec`](crate::codec), which has an example, or by one of your own;
    /// [`MessagePack`](crate::codec::MessagePack) by default. Entries of all codecs of larder that this build has are read,
    /// and of this one.
    ///
    /// A number below 128, or one that another codec of this cache has, is an error when the cache is built.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.settings.wire.codecs.writes = AnyCodec::new(codec);
        self
    }

    /// Reads the entries of a program's codec as well: of one that other processes write with, or did until lately. May
    /// be called more than once.
    pub fn also_reads(mut self, codec: impl Codec) -> Self {
        self.settings.wire.codecs.read(AnyCodec::new(codec));
        self
    }

    /// As the environment names it.
    pub(crate) fn built_in_codec(mut self, codec: BuiltIn) -> Self {
        self.settings.wire.codecs.writes = codec.into();
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

    /// What to do while changes made by other processes are not heard of; [`DisconnectPolicy::Serve`] by default. Of
    /// caches with one prefix on one server in a process, the strictest counts for all.
    pub fn on_disconnect(mut self, policy: DisconnectPolicy) -> Self {
        self.settings.on_disconnect = policy;
        self
    }

    /// How long a caller waits at most for a computation of the same key in another process, before it computes
    /// itself: 100 ms to a day, 10 s by default. A process that dies while it computes is noticed after a third of that.
    pub fn lease_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.lease_lifetime = lifetime;
        self
    }
}
