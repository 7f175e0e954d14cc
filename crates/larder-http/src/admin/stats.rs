//! `GET /stats`: what is counted.

use std::{collections::BTreeMap, time::Duration};

use larder::{Cache, CacheExt as _, CacheStats, FunctionStats, Histogram, Link};
use serde_json::{Value, json};

use super::units::{millis, precise_millis};

pub(super) fn stats(cache: &dyn Cache) -> Value {
    let (stats, kept) = (cache.stats(), cache.kept());
    json!({
        "enabled": cache.is_enabled(),
        "hit_ratio": stats.hit_ratio(),
        "saved_ratio": stats.saved_ratio(),
        "entries": kept.entries,
        "weight": kept.weight,
        "counters": stats.iter().collect::<BTreeMap<_, _>>(),
        "functions": cache.function_stats().iter().map(function).collect::<Vec<_>>(),
        "reading": timed(&cache.reading()),
        "redis": cache.link().as_ref().map(redis),
    })
}

fn function(of: &FunctionStats) -> Value {
    json!({
        "function": of.function,
        "namespace": of.namespace,
        "hit_ratio": of.stats.hit_ratio(),
        "saved_ratio": of.stats.saved_ratio(),
        "time_saved_ms": precise_millis(of.time_saved),
        "computing": timed(&of.computing),
        "counters": counted(&of.stats),
    })
}

/// Those that are not zero: there may be 255 functions.
fn counted(stats: &CacheStats) -> BTreeMap<&'static str, u64> {
    stats.iter().filter(|(_, count)| *count > 0).collect()
}

fn timed(histogram: &Histogram) -> Value {
    let quantile = |q| histogram.quantile(q).map(precise_millis);
    json!({
        "count": histogram.count(),
        "mean_ms": precise_millis(histogram.mean()),
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
    })
}

/// How this process stands with the servers.
pub(super) fn redis(link: &Link) -> Value {
    let server = |server: &larder::Server| {
        json!({
            "name": server.name, "address": server.address, "available": server.available, "connected": server.connected,
        })
    };
    let refusal = |refusal: &larder::Refusal| {
        json!({
            "operation": refusal.operation.to_string(), "reply": refusal.reply, "mend": refusal.mend,
            "count": refusal.count,
        })
    };
    let rejection = |rejection: &larder::Rejection| {
        json!({
            "reason": rejection.reason, "value_type": rejection.value_type, "mend": rejection.mend,
            "count": rejection.count,
        })
    };
    json!({
        "available": link.is_available(),
        // Unknown before the first contact.
        "out_of_touch_ms": (link.out_of_touch != Duration::MAX).then(|| millis(link.out_of_touch)),
        "position": link.position.to_string(),
        "waiting": link.waiting,
        "stalled_ms": millis(link.stalled),
        "records": link.records,
        "restarts": link.restarts,
        "resets": link.resets,
        "malformed": link.malformed,
        "servers": link.servers.iter().map(server).collect::<Vec<_>>(),
        "replicas": link.replicas.iter().map(server).collect::<Vec<_>>(),
        "refusals": link.refusals.iter().map(refusal).collect::<Vec<_>>(),
        "rejections": link.rejections.iter().map(rejection).collect::<Vec<_>>(),
    })
}
