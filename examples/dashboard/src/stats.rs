//! What the service counts itself, for people and for the page at `/`. What its cache did is told by larder's own routes,
//! `larder_http::admin`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    app::App,
    history::Sample,
    requests::{Latencies, Route},
};

/// The figures of one moment.
#[derive(Serialize)]
pub struct Stats {
    /// How many statements the database ran.
    statements: u64,
    /// All routes under `/api/v1` together.
    api: Sources,
    routes: BTreeMap<String, Sources>,
    /// Responses in memory.
    responses: Kept,
    /// The last minutes, second by second.
    history: Vec<Sample>,
}

/// By where the answers came from.
type Sources = BTreeMap<&'static str, Summary>;

#[derive(Serialize)]
struct Kept {
    entries: u64,
    bytes: u64,
}

/// How long requests took. A quantile that too few requests would tell of is not there.
#[derive(Serialize)]
struct Summary {
    count: u64,
    mean_ms: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl Stats {
    /// What was counted since the process began, and what happened since a moment in milliseconds since 1970.
    pub fn of(app: &App, after: u64) -> Self {
        let (routes, responses) = (app.requests.by_route(), app.responses.kept());
        Self {
            statements: app.db.statements(),
            api: summarize(&app.requests.under("/api/v1/")),
            routes: routes.iter().map(|(path, route)| (path.clone(), summarize(route))).collect(),
            responses: Kept { entries: responses.entries, bytes: responses.weight },
            history: app.history.after(after),
        }
    }
}

fn summarize(route: &Route) -> Sources {
    route.iter().map(|(source, latencies)| (source.name(), Summary::of(latencies))).collect()
}

impl Summary {
    fn of(latencies: &Latencies) -> Self {
        let rounded = |ms: f64| (ms * 1e3).round() / 1e3;
        Self {
            count: latencies.count(),
            mean_ms: rounded(latencies.mean()),
            p50_ms: latencies.quantile(0.5).map(rounded),
            p99_ms: latencies.quantile(0.99).map(rounded),
        }
    }
}
