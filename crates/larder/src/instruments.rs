//! What a program exports of its caches, whatever it is exported with: names, units, help, and the figures of a moment.
//!
//! Names are those of Micrometer's cache metrics where it has one: `cache.gets`, `cache.puts`, `cache.evictions`,
//! `cache.size`, `cache.load`, `cache.load.duration`.

mod figures;
mod series;
mod watched;

pub(crate) use self::{figures::Figure, watched::WatchedCaches};

/// One thing that is measured.
#[derive(Debug)]
pub(crate) struct Instrument {
    /// As OpenTelemetry writes it.
    pub(crate) name: &'static str,
    pub(crate) kind: InstrumentKind,
    pub(crate) unit: Unit,
    pub(crate) help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstrumentKind {
    /// Only grows.
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Number,
    Seconds,
    Bytes,
}

impl Instrument {
    /// As Prometheus writes it: with the unit, and `_total` behind what only grows.
    #[cfg_attr(
        not(any(feature = "metrics", test)),
        expect(dead_code, reason = "OpenTelemetry has names of its own")
    )]
    pub(crate) fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        name.push_str(match self.unit {
            Unit::Number => "",
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
        });
        if self.kind == InstrumentKind::Counter {
            name.push_str("_total");
        }
        name
    }
}

macro_rules! instruments {
    ($($ident:ident = $kind:ident $unit:ident $name:literal, $help:literal;)+) => {
        $(pub(crate) static $ident: Instrument = Instrument {
            name: $name,
            kind: InstrumentKind::$kind,
            unit: Unit::$unit,
            help: $help,
        };)+

        /// All of them.
        pub(crate) static ALL: &[&Instrument] = &[$(&$ident,)+];
    };
}

instruments! {
    GETS = Counter Number "cache.gets",
        "Reads, by result (hit, stale, miss) and, of hits, by tier (memory, disk, redis)";
    WAITS = Counter Number "cache.waits",
        "Callers that met a computation under way, by outcome (joined: they got its value; unjoined: they computed apart; \
         taken_over: it was not polled; lease_timeout: it was another process' and took too long)";
    LOADS = Counter Number "cache.load",
        "Computations that ended, by result (success, failure)";
    LOAD_DURATION = Histogram Seconds "cache.load.duration",
        "How long computations took, failed ones included";
    LOAD_SAVED = Gauge Seconds "cache.load.saved",
        "Computing time saved since the process began: what the values hit in memory took to compute, for every hit";
    REFRESHES = Counter Number "cache.refreshes",
        "Computations begun while callers had the old value";
    KEPT = Counter Number "cache.load.kept",
        "Computations that found the old value unchanged";
    PUTS = Counter Number "cache.puts",
        "Values stored";
    NOT_STORED = Counter Number "cache.not_stored",
        "Values not stored, or not shared through Redis, by reason";
    NOT_SERVED = Counter Number "cache.not_served",
        "Entries found and not served, by reason";
    EVICTIONS = Counter Number "cache.evictions",
        "Entries dropped from memory, by cause (size, expired, invalidated)";
    INVALIDATIONS = Counter Number "cache.invalidations",
        "Invalidations, by direction: sent by this process, or received from the log (its own included)";
    INVALIDATIONS_WAITING = Gauge Number "cache.invalidations.waiting",
        "Scopes that were invalidated here and are not yet read back from the log: a few at any moment, under load";
    INVALIDATIONS_STALLED = Gauge Seconds "cache.invalidations.stalled",
        "For how long scopes that were invalidated here have waited while none was read back from the log; below a second \
         while all is well";
    SIZE = Gauge Number "cache.size",
        "Entries in memory";
    WEIGHT = Gauge Number "cache.weight",
        "Weight of the entries in memory: bytes, where the weigher counts bytes";
    LIMITS = Counter Number "cache.limits",
        "Decisions of rate limits, by result (allowed, refused; refused_here: without asking the server, which had just said \
         for how long it would refuse)";
    LIMIT_FAILURES = Counter Number "cache.limit.failures",
        "Decisions of rate limits that a server was to make, and could not";
    COUNTS_LOST = Counter Number "cache.counts.lost",
        "Increments of counters and rankings that a server was to make, and did not say that it did";
    DISK_GETS = Counter Number "cache.disk.gets",
        "Entries asked for on disk, by result (hit, miss; rejected: those of the misses that were harmed or of another shape)";
    DISK_PUTS = Counter Number "cache.disk.puts",
        "Entries for the disk, by result (stored; skipped: no longer valid, or another value would come back; dropped: too many \
         waited, too large, or the disk could not be written)";
    DISK_FAILURES = Counter Number "cache.disk.failures",
        "How often the disk could not be read or written";
    REDIS_GETS = Counter Number "cache.redis.gets",
        "Entries asked for in Redis, by result (hit, miss)";
    REPLICA_GETS = Counter Number "cache.redis.replica.gets",
        "Entries asked for at replicas of Redis, by result (hit; miss, failure: then the master was asked)";
    REDIS_GET_DURATION = Histogram Seconds "cache.redis.get.duration",
        "How long reads from Redis took, each batch as one";
    REDIS_PUTS = Counter Number "cache.redis.puts",
        "Entries stored in Redis";
    REDIS_FAILURES = Counter Number "cache.redis.failures",
        "Reads and writes in Redis that came to nothing, by reason (refused, timeout, unreachable)";
    REDIS_RAW = Counter Bytes "cache.redis.raw",
        "Bytes of the values stored in Redis, before compression";
    REDIS_STORED = Counter Bytes "cache.redis.stored",
        "Bytes stored in Redis, headers included";
    REDIS_READ = Counter Bytes "cache.redis.read",
        "Bytes of entries read from Redis";
    REDIS_UP = Gauge Number "cache.redis.up",
        "Whether commands are sent to a server: 0 while its circuit breaker is open";
    REDIS_REFUSED = Gauge Number "cache.redis.refused",
        "How often the servers refused an operation since they began to; 0 while they accept it";
    LOG_LAG = Gauge Seconds "cache.log.lag",
        "For how long, at the most, invalidations of other processes may not have been heard of; up to 2 s while all is well";
    LOG_RESTARTS = Counter Number "cache.log.restarts",
        "How often everything in memory was dropped because something could not be proved";
    LOG_RESETS = Counter Number "cache.log.resets",
        "How often this process made the invalidation log anew";
    LOG_MALFORMED = Counter Number "cache.log.malformed",
        "Records of the log that this release cannot read";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        assert_eq!(GETS.prometheus_name(), "cache_gets_total");
        assert_eq!(LOAD_DURATION.prometheus_name(), "cache_load_duration_seconds");
        assert_eq!(REDIS_READ.prometheus_name(), "cache_redis_read_bytes_total");
        assert_eq!(LOG_LAG.prometheus_name(), "cache_log_lag_seconds");
        let mut names: Vec<_> = ALL.iter().map(|instrument| instrument.prometheus_name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
