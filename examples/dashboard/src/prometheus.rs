//! The text format of Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

use larder::CacheExt as _;

use crate::{app::App, requests::Latencies};

const LATENCY: &str = "http_request_duration_seconds";

/// All figures.
pub fn text(app: &App) -> String {
    let mut text = String::new();
    for (name, value) in larder::global().stats().iter() {
        counter(&mut text, &format!("larder_{name}_total"), value);
    }
    if let Some(link) = larder::global().link() {
        gauge(&mut text, "larder_redis_available", u8::from(link.is_available()));
        gauge(&mut text, "larder_out_of_touch_seconds", link.out_of_touch.as_secs_f64());
        gauge(&mut text, "larder_invalidations_waiting", link.waiting);
        counter(&mut text, "larder_log_restarts_total", link.restarts);
    }
    counter(&mut text, "database_statements_total", app.db.statements());
    line(&mut text, format_args!("# TYPE {LATENCY} histogram"));
    for (path, route) in app.requests.by_route() {
        for (source, latencies) in route {
            let labels = format!("route=\"{}\",source=\"{}\"", escaped(&path), source.name());
            histogram(&mut text, &labels, &latencies);
        }
    }
    text
}

fn counter(text: &mut String, name: &str, value: u64) {
    line(text, format_args!("# TYPE {name} counter\n{name} {value}"));
}

fn gauge(text: &mut String, name: &str, value: impl Display) {
    line(text, format_args!("# TYPE {name} gauge\n{name} {value}"));
}

/// Its `_count` is the number of requests.
fn histogram(text: &mut String, labels: &str, latencies: &Latencies) {
    for (bound, count) in latencies.up_to_bounds() {
        let le = bound as f64 / 1e6;
        line(text, format_args!("{LATENCY}_bucket{{{labels},le=\"{le}\"}} {count}"));
    }
    let (count, sum) = (latencies.count(), latencies.sum().as_secs_f64());
    line(text, format_args!("{LATENCY}_bucket{{{labels},le=\"+Inf\"}} {count}"));
    line(text, format_args!("{LATENCY}_sum{{{labels}}} {sum}"));
    line(text, format_args!("{LATENCY}_count{{{labels}}} {count}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a `String` takes all text");
}

fn escaped(label: &str) -> String {
    label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
