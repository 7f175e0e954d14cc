//! The figures for Prometheus: those of the caches, and the service's own, by the exporter for the facade `metrics`.

use anyhow::{Context, Result};
use larder::metrics::Collector;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::requests::{LATENCY, Latencies};

const STATEMENTS: &str = "database_statements_total";

/// The exporter, and what gives it the figures of the caches.
pub struct Figures {
    exporter: PrometheusHandle,
    caches: Collector,
}

impl Figures {
    /// Installs the exporter. Caches that are installed by now are watched from here on.
    pub fn install() -> Result<Self> {
        let bounds = Latencies::BOUNDS.map(|micros| micros as f64 / 1e6);
        let exporter = PrometheusBuilder::new().set_buckets(&bounds)?.install_recorder();
        let exporter = exporter.context("the exporter for Prometheus")?;
        metrics::describe_histogram!(LATENCY, metrics::Unit::Seconds, "How long requests took");
        metrics::describe_counter!(STATEMENTS, "Statements that the database ran");
        Ok(Self { exporter, caches: Collector::new() })
    }

    /// All figures, with the number of statements that the database ran.
    pub fn text(&self, statements: u64) -> String {
        metrics::counter!(STATEMENTS).absolute(statements);
        self.caches.collect();
        self.exporter.render()
    }
}
