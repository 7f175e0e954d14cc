//! The figures of one cache at one moment.

use std::time::Duration;

use super::{
    COUNTS_LOST, DISK_FAILURES, DISK_GETS, DISK_PUTS, EVICTIONS, GETS, INVALIDATIONS, INVALIDATIONS_STALLED,
    INVALIDATIONS_WAITING, Instrument, KEPT, LIMIT_FAILURES, LIMITS, LOAD_SAVED, LOADS, LOG_LAG,
    LOG_MALFORMED, LOG_RESETS, LOG_RESTARTS, NOT_SERVED, NOT_STORED, PUTS, REDIS_FAILURES, REDIS_GETS,
    REDIS_PUTS, REDIS_RAW, REDIS_READ, REDIS_REFUSED, REDIS_STORED, REDIS_UP, REFRESHES, REPLICA_GETS, SIZE,
    WAITS, WEIGHT,
};
use crate::{
    cache::Cache,
    link::{Link, Operation},
    outcome::Tier,
    stats::{CacheStats, FunctionStats},
};

/// What an instrument shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Figure {
    Count(u64),
    Gauge(f64),
    /// What a gauge was for is no longer there.
    Gone,
}

/// The names of a figure's labels, and their values.
pub(crate) type Labels<'l> = [(&'static str, &'l str)];

/// The same, kept.
pub(super) type OwnedLabels = Vec<(&'static str, String)>;

/// Calls `each` for every figure of a cache with this name.
pub(crate) fn observe(
    name: &str,
    cache: &dyn Cache,
    each: &mut dyn FnMut(&'static Instrument, &Labels<'_>, Figure),
) {
    let link = cache.storage().shared().map(|shared| shared.link());
    let mut functions = cache.core().function_stats();
    if functions.is_empty() {
        // So that a series begins at zero, and its first growth is seen.
        functions.push(FunctionStats::default());
    }
    for function in &functions {
        let by = [("cache", name), ("function", &*function.function), ("namespace", &*function.namespace)];
        let mut each =
            |instrument, labels: &Labels<'_>, figure| each(instrument, &[&by, labels].concat(), figure);
        of_function(function, &mut each);
        if link.is_some() {
            of_function_in_redis(&function.stats, &mut each);
        }
    }
    let mut each = |instrument, labels: &Labels<'_>, figure| {
        each(instrument, &[&[("cache", name)], labels].concat(), figure);
    };
    of_cache(cache, &mut each);
    if let Some(link) = link {
        of_link(&link, &mut each);
    }
}

type Each<'e> = dyn FnMut(&'static Instrument, &Labels<'_>, Figure) + 'e;

/// One figure for each value of a label; those that are zero too.
fn counts(each: &mut Each<'_>, instrument: &'static Instrument, label: &'static str, by: &[(&str, u64)]) {
    by.iter().for_each(|(value, count)| each(instrument, &[(label, value)], Figure::Count(*count)));
}

/// The same, without those that are zero: where there are many values that most programs never meet.
fn met(each: &mut Each<'_>, instrument: &'static Instrument, label: &'static str, by: &[(&str, u64)]) {
    by.iter().filter(|(_, count)| *count > 0).for_each(|met| counts(each, instrument, label, &[*met]));
}

fn of_function(function: &FunctionStats, each: &mut Each<'_>) {
    let stats = &function.stats;
    let in_memory = stats.hits.saturating_sub(stats.hits_shared);
    let further = stats.hits_shared + stats.misses_shared;
    // What is found on disk is seldom past its `ttl`.
    let on_disk = stats.disk_hits.min(further);
    for (result, tier, count) in [
        ("hit", Tier::Memory.label(), in_memory),
        ("hit", Tier::Shared.label(), further - on_disk),
        ("stale", Tier::Memory.label(), stats.stale_hits),
        ("miss", "", stats.misses.saturating_sub(stats.misses_shared)),
    ] {
        each(&GETS, &[("result", result), ("tier", tier)], Figure::Count(count));
    }
    if on_disk > 0 {
        each(&GETS, &[("result", "hit"), ("tier", Tier::Disk.label())], Figure::Count(on_disk));
    }
    if stats.bypassed > 0 {
        each(&GETS, &[("result", "bypass"), ("tier", "")], Figure::Count(stats.bypassed));
    }
    let ended = function.computing.count();
    let succeeded = ended.saturating_sub(stats.failures);
    counts(each, &LOADS, "result", &[("success", succeeded), ("failure", stats.failures)]);
    each(&LOAD_SAVED, &[], Figure::Gauge(function.time_saved.as_secs_f64()));
    each(&PUTS, &[], Figure::Count(stats.stores));
    met(
        each,
        &WAITS,
        "outcome",
        &[
            ("joined", stats.joined),
            ("unjoined", stats.unjoined),
            ("taken_over", stats.taken_over),
            ("lease_timeout", stats.lease_timeouts),
        ],
    );
    if stats.refreshes > 0 {
        each(&REFRESHES, &[], Figure::Count(stats.refreshes));
    }
    if stats.kept > 0 {
        each(&KEPT, &[], Figure::Count(stats.kept));
    }
    met(
        each,
        &NOT_STORED,
        "reason",
        &[
            ("invalidated", stats.stores_outdated),
            ("too_many_scopes", stats.stores_too_wide),
            ("too_long", stats.stores_too_long),
            ("unfinished", stats.stores_unfinished),
            ("redis_has_newer", stats.shared_skipped),
            ("too_large", stats.shared_too_large),
            ("changed", stats.unshared_changed),
            ("unreadable", stats.unshared_unreadable),
            ("unencodable", stats.unshared_unencodable),
            ("too_deep", stats.unshared_too_deep),
            ("panicked", stats.unshared_panicked),
            ("postponed", stats.unshared_postponed),
            ("key_refused", stats.refused_keys),
        ],
    );
    let evictions = [
        ("size", stats.evictions),
        ("expired", stats.expired_dropped),
        ("invalidated", stats.invalidated_dropped),
    ];
    counts(each, &EVICTIONS, "cause", &evictions);
    let named = stats.shared_unreadable
        + stats.shared_other_shape
        + stats.shared_other_codec
        + stats.shared_not_authentic;
    met(
        each,
        &NOT_SERVED,
        "reason",
        &[
            ("invalidated", stats.invalidated_reads),
            ("other_type", stats.type_mismatches + stats.shared_other_shape),
            ("unreadable", stats.shared_unreadable),
            ("other_codec", stats.shared_other_codec),
            ("not_authentic", stats.shared_not_authentic),
            ("damaged", stats.shared_rejected.saturating_sub(named)),
        ],
    );
}

fn of_function_in_redis(stats: &CacheStats, each: &mut Each<'_>) {
    counts(each, &REDIS_GETS, "result", &[("hit", stats.shared_hits), ("miss", stats.shared_misses)]);
    let of_replicas =
        [("hit", stats.replica_hits), ("miss", stats.replica_misses), ("failure", stats.replica_failures)];
    met(each, &REPLICA_GETS, "result", &of_replicas);
    let failures = [
        ("refused", stats.shared_refused),
        ("timeout", stats.shared_timeouts),
        ("unreachable", stats.shared_unreachable),
    ];
    counts(each, &REDIS_FAILURES, "reason", &failures);
    each(&REDIS_PUTS, &[], Figure::Count(stats.shared_stores));
    each(&REDIS_RAW, &[], Figure::Count(stats.shared_raw_bytes));
    each(&REDIS_STORED, &[], Figure::Count(stats.shared_stored_bytes));
    each(&REDIS_READ, &[], Figure::Count(stats.shared_read_bytes));
}

fn of_cache(cache: &dyn Cache, each: &mut Each<'_>) {
    let (stats, kept) = (cache.core().stats(), cache.storage().kept());
    counts(each, &INVALIDATIONS, "direction", &[("sent", stats.invalidations + stats.marks)]);
    let refused_here = stats.limit_refused_here.min(stats.limit_refused);
    met(
        each,
        &LIMITS,
        "result",
        &[
            ("allowed", stats.limit_allowed),
            ("refused", stats.limit_refused - refused_here),
            ("refused_here", refused_here),
        ],
    );
    if stats.limit_failures > 0 {
        each(&LIMIT_FAILURES, &[], Figure::Count(stats.limit_failures));
    }
    if stats.counts_lost > 0 {
        each(&COUNTS_LOST, &[], Figure::Count(stats.counts_lost));
    }
    of_disk(&stats, each);
    each(&SIZE, &[], gauge(kept.entries));
    each(&WEIGHT, &[], gauge(kept.weight));
}

/// Nothing where no disk was ever used.
fn of_disk(stats: &CacheStats, each: &mut Each<'_>) {
    let gets = [("hit", stats.disk_hits), ("miss", stats.disk_misses), ("rejected", stats.disk_rejected)];
    let puts =
        [("stored", stats.disk_stores), ("skipped", stats.disk_skipped), ("dropped", stats.disk_dropped)];
    if gets.iter().chain(&puts).all(|(_, count)| *count == 0) && stats.disk_failures == 0 {
        return;
    }
    counts(each, &DISK_GETS, "result", &gets);
    counts(each, &DISK_PUTS, "result", &puts);
    each(&DISK_FAILURES, &[], Figure::Count(stats.disk_failures));
}

fn of_link(link: &Link, each: &mut Each<'_>) {
    counts(each, &INVALIDATIONS, "direction", &[("received", link.records)]);
    each(&INVALIDATIONS_WAITING, &[], gauge(link.waiting));
    each(&INVALIDATIONS_STALLED, &[], Figure::Gauge(link.stalled.as_secs_f64()));
    for server in &link.servers {
        each(&REDIS_UP, &[("server", &server.name)], gauge(server.available.into()));
    }
    for operation in Operation::ALL {
        let refusal = link.refusals.iter().find(|refusal| refusal.operation == operation);
        let count = refusal.map_or(0, |refusal| refusal.count);
        each(&REDIS_REFUSED, &[("operation", operation.name())], gauge(count));
    }
    // Before the first contact there is nothing that could be out of date.
    if link.out_of_touch != Duration::MAX {
        each(&LOG_LAG, &[], Figure::Gauge(link.out_of_touch.as_secs_f64()));
    }
    each(&LOG_RESTARTS, &[], Figure::Count(link.restarts));
    each(&LOG_RESETS, &[], Figure::Count(link.resets));
    each(&LOG_MALFORMED, &[], Figure::Count(link.malformed));
}

#[expect(clippy::cast_precision_loss, reason = "numbers of entries, for a chart")]
fn gauge(number: u64) -> Figure {
    Figure::Gauge(number as f64)
}
