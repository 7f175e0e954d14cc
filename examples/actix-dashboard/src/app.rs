//! What all requests share, and what the service tells of itself.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};
use larder::{Cache as _, CacheExt as _};
use serde::Serialize;

use crate::{
    config::Config,
    db::Db,
    prometheus,
    requests::{Latencies, Requests, Source},
};

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub requests: Arc<Requests>,
}

impl App {
    pub async fn start(config: &Config) -> Result<Self> {
        let db = Db::open(config.database.clone(), config.rows).await.context("DATABASE")?;
        Ok(Self { db, requests: Arc::default() })
    }

    /// For people, and for the page at `/`.
    pub fn stats(&self) -> Stats {
        let (cache, by_route) = (larder::global(), self.requests.by_route());
        let counted = cache.stats();
        let mut all: BTreeMap<Source, Latencies> = BTreeMap::new();
        for (source, latencies) in
            by_route.iter().filter(|(route, _)| route.starts_with("/api/")).flat_map(|(_, route)| route)
        {
            all.entry(*source).or_default().add(latencies);
        }
        let summarize = |route: &BTreeMap<Source, Latencies>| {
            route.iter().map(|(source, latencies)| (source.name(), Summary::of(latencies))).collect()
        };
        Stats {
            cache: Caching {
                shared: cache.is_shared(),
                hit_ratio: counted.hit_ratio(),
                saved_ratio: counted.saved_ratio(),
                counters: counted.iter().collect(),
            },
            statements: self.db.statements(),
            api: summarize(&all),
            routes: by_route.iter().map(|(route, sources)| (route.clone(), summarize(sources))).collect(),
        }
    }

    /// For Prometheus.
    pub fn metrics(&self) -> String {
        let (cache, requests) = (larder::global(), self.requests.by_route());
        prometheus::text(&cache.stats(), self.db.statements(), &requests)
    }
}

#[derive(Serialize)]
pub struct Stats {
    cache: Caching,
    /// How many statements the database ran.
    statements: u64,
    /// All routes under `/api/v1` together.
    api: Sources,
    routes: BTreeMap<String, Sources>,
}

#[derive(Serialize)]
struct Caching {
    /// Whether other processes share it: whether there is a Redis.
    shared: bool,
    hit_ratio: f64,
    saved_ratio: f64,
    counters: BTreeMap<&'static str, u64>,
}

/// By where the answers came from.
type Sources = BTreeMap<&'static str, Summary>;

#[derive(Serialize)]
struct Summary {
    count: u64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Summary {
    fn of(latencies: &Latencies) -> Self {
        let rounded = |ms: f64| (ms * 1e3).round() / 1e3;
        let (p50_ms, p99_ms) = (rounded(latencies.quantile(0.5)), rounded(latencies.quantile(0.99)));
        Self { count: latencies.count(), p50_ms, p99_ms }
    }
}
