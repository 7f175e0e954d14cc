//! What happened in each of the last seconds: for the time axis of the page. A monitoring system remembers it for longer,
//! by what it reads at `/metrics`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use larder::{CacheExt as _, CacheStats};
use larder_http::HttpCache;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::{db::Db, metrics::now, requests::Requests};

/// How many samples are remembered: five minutes.
const SAMPLES: usize = 300;

/// The last samples, the oldest one first.
#[derive(Default)]
pub struct History(Mutex<VecDeque<Sample>>);

/// What samples are taken of, beside the cache itself.
pub struct Sampled {
    /// The database.
    pub db: Db,
    /// The cache of responses.
    pub responses: HttpCache,
    /// All requests.
    pub requests: Arc<Requests>,
}

/// What happened since the sample before, about a second, and what was kept at its end.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// When it was taken, in milliseconds since 1970. No two have the same.
    at: u64,
    /// Requests under `/api/v1`, by where their answers came from.
    requests: BTreeMap<&'static str, u64>,
    /// Reads of the cache, by what larder counts: of values, and of responses.
    reads: u64,
    /// Those of them that found something; none if there were no reads.
    hit_ratio: Option<f64>,
    /// What computations took, and would have taken if nothing had been cached.
    computing_ms: f64,
    saved_ms: f64,
    /// Statements that the database ran.
    statements: u64,
    /// Invalidations by this process.
    invalidations: u64,
    /// Invalidations read from the log in Redis, those of this process included.
    records: u64,
    /// Values in memory, and responses in memory with their bytes.
    values: u64,
    responses: u64,
    response_bytes: u64,
}

/// What was counted since the process began, at one moment.
#[derive(Default)]
struct Totals {
    requests: BTreeMap<&'static str, u64>,
    cache: CacheStats,
    computing: Duration,
    saved: Duration,
    statements: u64,
    records: u64,
}

impl History {
    /// The samples that were taken after this moment, in milliseconds since 1970.
    pub fn after(&self, at: u64) -> Vec<Sample> {
        self.lock().iter().filter(|sample| sample.at > at).cloned().collect()
    }

    fn add(&self, sample: Sample) {
        let mut samples = self.lock();
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// Takes a sample each second, for as long as the process runs.
pub async fn record(history: Arc<History>, of: Sampled) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut at) = (Totals::default(), 0);
    loop {
        ticks.tick().await;
        let totals = of.totals();
        // The clock may have been set back.
        at = now().max(at + 1);
        history.add(of.sample(at, (&before, &totals)));
        before = totals;
    }
}

impl Sampled {
    fn totals(&self) -> Totals {
        let cache = larder::global();
        let functions = cache.function_stats();
        let requests = self.requests.under("/api/v1/");
        Totals {
            requests: requests.iter().map(|(source, latencies)| (source.name(), latencies.count())).collect(),
            cache: cache.stats(),
            computing: functions.iter().map(|function| function.computing.sum()).sum(),
            saved: functions.iter().map(|function| function.time_saved).sum(),
            statements: self.db.statements(),
            records: cache.link().map_or(0, |link| link.records),
        }
    }

    fn sample(&self, at: u64, (before, totals): (&Totals, &Totals)) -> Sample {
        let cache = totals.cache.since(&before.cache);
        let reads = cache.hits + cache.stale_hits + cache.misses;
        let millis = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64() * 1e3;
        let requests = totals.requests.iter().map(|(source, count)| {
            let counted = before.requests.get(source).copied().unwrap_or_default();
            (*source, count - counted)
        });
        let responses = self.responses.kept();
        Sample {
            at,
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            reads,
            hit_ratio: (reads > 0).then(|| cache.hit_ratio()),
            computing_ms: millis(totals.computing, before.computing),
            saved_ms: millis(totals.saved, before.saved),
            statements: totals.statements - before.statements,
            invalidations: cache.invalidations + cache.marks,
            records: totals.records.saturating_sub(before.records),
            values: larder::global().kept().entries,
            responses: responses.entries,
            response_bytes: responses.weight,
        }
    }
}
