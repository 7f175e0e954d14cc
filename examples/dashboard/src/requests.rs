//! How long requests took, by route and by where their answers came from.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// How long requests took, by route and source: for Prometheus.
pub const LATENCY: &str = "http_request_duration_seconds";

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The cache.
    Hit,
    /// The cache, past its time.
    Stale,
    /// Another request for the same, which was under way.
    Joined,
    /// The handler, which was asked because the cache had nothing.
    Computed,
    /// The handler, in requests that no cache answers: a `PUT`, say.
    Passed,
    /// The handler of a route without a response cache.
    Uncached,
}

impl Source {
    /// As a response's `Cache-Status` tells (RFC 9211): `larder; hit; ttl=30`.
    pub fn of(cache_status: Option<&str>) -> Self {
        let Some(status) = cache_status else { return Self::Uncached };
        let has = |parameter: &str| status.split(';').any(|part| part.trim() == parameter);
        if has("hit") {
            if status.contains("ttl=-") { Self::Stale } else { Self::Hit }
        } else if has("collapsed") {
            Self::Joined
        } else if has("fwd=method") || has("fwd=bypass") || has("fwd=partial") {
            Self::Passed
        } else {
            Self::Computed
        }
    }

    /// As it is written in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Joined => "joined",
            Self::Computed => "computed",
            Self::Passed => "passed",
            Self::Uncached => "uncached",
        }
    }
}

/// All requests so far.
#[derive(Default)]
pub struct Requests(Mutex<BTreeMap<String, Route>>);

/// The requests of one route.
pub type Route = BTreeMap<Source, Latencies>;

impl Requests {
    /// Routes are patterns (`/users/{id}`), so that there are as many as the service has.
    pub fn record(&self, route: &str, source: Source, took: Duration) {
        metrics::histogram!(LATENCY, "route" => route.to_owned(), "source" => source.name()).record(took);
        let mut routes = self.lock();
        if let Some(route) = routes.get_mut(route) {
            route.entry(source).or_default().record(took);
        } else {
            routes.entry(route.to_owned()).or_default().entry(source).or_default().record(took);
        }
    }

    /// A copy of all that was counted.
    pub fn by_route(&self) -> BTreeMap<String, Route> {
        self.lock().clone()
    }

    /// All routes under a path together.
    pub fn under(&self, path: &str) -> Route {
        let mut sum = Route::new();
        for (_, route) in self.lock().iter().filter(|(route, _)| route.starts_with(path)) {
            for (source, latencies) in route {
                sum.entry(*source).or_default().add(latencies);
            }
        }
        sum
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Route>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// How long things took, counted in buckets: for the page. Prometheus has histograms of its own.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// One more than there are bounds: the last is for what took longer than all of them.
    buckets: [u64; Self::BOUNDS.len() + 1],
    micros: u64,
}

impl Latencies {
    /// Where buckets end, in microseconds. A hit takes tens of them, a query tens of thousands.
    pub const BOUNDS: [u64; 18] = [
        10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000,
    ];

    fn record(&mut self, took: Duration) {
        let bucket = Self::BOUNDS.partition_point(|&bound| u128::from(bound) < took.as_micros());
        self.buckets[bucket] += 1;
        self.micros = self.micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    fn add(&mut self, other: &Self) {
        for (bucket, others) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += others;
        }
        self.micros = self.micros.saturating_add(other.micros);
    }

    /// How many requests.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// In milliseconds; zero without requests.
    pub fn mean(&self) -> f64 {
        self.micros as f64 / 1e3 / self.count().max(1) as f64
    }

    /// What this share of them did not exceed, in milliseconds: as near as the buckets tell, supposing that
    /// each is filled evenly. None if there are too few to tell: one of them at least has to lie beyond it, and ten
    /// on each side of the middle.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let beyond = (1.0 - share) * self.count() as f64;
        let enough = if share > 0.5 { 1.0 } else { 10.0 };
        (beyond >= enough - 1e-9).then(|| self.value_at(share))
    }

    fn value_at(&self, share: f64) -> f64 {
        let rank = share * self.count() as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for (to, count) in Self::BOUNDS.into_iter().zip(self.buckets) {
            let (to, count) = (to as f64 / 1e3, count as f64);
            if count > 0.0 && below + count >= rank {
                return from + (to - from) * (rank - below) / count;
            }
            below += count;
            from = to;
        }
        from
    }
}

/// `Server-Timing`, by which a client knows what part of its waiting was the service's.
#[must_use]
pub fn server_timing(took: Duration) -> String {
    format!("service;dur={:.3}", took.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_status_tells_the_source() {
        for (status, source) in [
            (None, Source::Uncached),
            (Some("larder; hit; ttl=30"), Source::Hit),
            (Some("larder; hit; ttl=-3"), Source::Stale),
            (Some("larder; fwd=uri-miss; collapsed"), Source::Joined),
            (Some("larder; fwd=uri-miss; stored"), Source::Computed),
            (Some("larder; fwd=stale; fwd-status=304; stored"), Source::Computed),
            (Some("larder; fwd=method"), Source::Passed),
        ] {
            assert_eq!(Source::of(status), source, "{status:?}");
        }
    }

    #[test]
    fn quantiles_lie_in_their_buckets() {
        let mut latencies = Latencies::default();
        for _ in 0..98 {
            latencies.record(Duration::from_micros(30));
        }
        latencies.record(Duration::from_millis(20));
        latencies.record(Duration::from_secs(60));
        assert!((0.025..=0.05).contains(&latencies.quantile(0.5).unwrap()));
        assert!((10.0..=25.0).contains(&latencies.quantile(0.99).unwrap()));
        assert_eq!(latencies.value_at(1.0), 5_000.0);
        assert_eq!(latencies.count(), 100);
        assert!((600.0..601.0).contains(&latencies.mean()), "{}", latencies.mean());
    }

    #[test]
    fn quantiles_of_a_few_are_not_told() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.mean(), latencies.quantile(0.5)), (0.0, None));
        let mut told = Vec::new();
        for _ in 0..100 {
            latencies.record(Duration::from_micros(30));
            told.push((latencies.quantile(0.5).is_some(), latencies.quantile(0.99).is_some()));
        }
        assert_eq!(told.iter().position(|(p50, _)| *p50), Some(19));
        assert_eq!(told.iter().position(|(_, p99)| *p99), Some(99));
    }
}
