//! What the service tells of its cache, for people and for the page at `/`.

use std::{collections::BTreeMap, time::Duration};

use larder::{CacheExt as _, CacheStats, Link};
use serde::Serialize;

use crate::{
    app::App,
    requests::{Latencies, Route},
};

/// The figures of one moment.
#[derive(Serialize)]
pub struct Stats {
    cache: Counted,
    /// How many statements the database ran.
    statements: u64,
    /// All routes under `/api/v1` together.
    api: Sources,
    routes: BTreeMap<String, Sources>,
}

#[derive(Serialize)]
struct Counted {
    /// How this process stands with Redis, if it has one.
    redis: Option<Redis>,
    hit_ratio: f64,
    saved_ratio: f64,
    counters: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Redis {
    available: bool,
    /// For how long changes made by other processes may not have arrived: unknown before the first contact.
    out_of_touch_s: Option<f64>,
    /// Changes made here that are not delivered to other processes yet.
    waiting: u64,
}

/// By where the answers came from.
type Sources = BTreeMap<&'static str, Summary>;

#[derive(Serialize)]
struct Summary {
    count: u64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Stats {
    /// What was counted since the process began.
    pub fn of(app: &App) -> Self {
        let routes = app.requests.by_route();
        Self {
            cache: Counted::new(larder::global().link(), &larder::global().stats()),
            statements: app.db.statements(),
            api: summarize(&app.requests.under("/api/v1/")),
            routes: routes.iter().map(|(path, route)| (path.clone(), summarize(route))).collect(),
        }
    }
}

impl Counted {
    fn new(link: Option<Link>, stats: &CacheStats) -> Self {
        Self {
            redis: link.map(Redis::new),
            hit_ratio: stats.hit_ratio(),
            saved_ratio: stats.saved_ratio(),
            counters: stats.iter().collect(),
        }
    }
}

impl Redis {
    fn new(link: Link) -> Self {
        Self {
            available: link.is_available(),
            out_of_touch_s: (link.out_of_touch != Duration::MAX).then_some(link.out_of_touch.as_secs_f64()),
            waiting: link.waiting,
        }
    }
}

fn summarize(route: &Route) -> Sources {
    route.iter().map(|(source, latencies)| (source.name(), Summary::of(latencies))).collect()
}

impl Summary {
    fn of(latencies: &Latencies) -> Self {
        let rounded = |ms: f64| (ms * 1e3).round() / 1e3;
        let (p50_ms, p99_ms) = (rounded(latencies.quantile(0.5)), rounded(latencies.quantile(0.99)));
        Self { count: latencies.count(), p50_ms, p99_ms }
    }
}
