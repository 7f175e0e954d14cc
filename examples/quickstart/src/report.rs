//! What the program prints: plain text of at most 80 columns.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::Result;
use larder::{Cache, CacheExt};

use crate::{
    db::{Db, Statement},
    metrics::{Dashboard, Paid},
};

/// What a step of the story gave, and the SQL that truly ran for it.
pub struct Step<T> {
    pub value: T,
    pub ran: Vec<Statement>,
}

/// Makes the database, and says what it is and how long that took.
pub fn setup(rows: u32, create: impl FnOnce() -> Result<Db>) -> Result<Db> {
    let begin = Instant::now();
    let db = create()?;
    let took = time(begin.elapsed());
    println!("Made an SQLite database of users, transactions and requests:");
    println!("{rows} rows in {took}. Now a service asks it for its metrics.\n");
    Ok(db)
}

/// The first line of the table of steps.
pub fn heading() {
    line("", "SQL run", "time");
}

/// Runs a step of the story, and prints what it took.
pub async fn step<T>(db: &Db, what: &str, step: impl Future<Output = Result<T>>) -> Result<Step<T>> {
    let begin = Instant::now();
    let value = step.await?;
    let took = begin.elapsed();
    let ran = db.take_statements();
    line(what, &ran.len().to_string(), &time(took));
    Ok(Step { value, ran })
}

/// Shows that the numbers are real.
pub fn numbers(dashboard: &Dashboard) {
    let Dashboard { traffic, error_rate, p95_latency, active_users, .. } = dashboard;
    println!("\nThe dashboard:");
    println!("  {:.0} requests per minute, at most {}", traffic.average, traffic.peak);
    println!("  {:.2} % errors, p95 latency {p95_latency:.0} ms", error_rate * 100.0);
    println!("  {active_users} active users, the best: {}", list(&dashboard.top_customers));
    println!("  revenue: {}, ...", list(&dashboard.revenue[..dashboard.revenue.len().min(4)]));
}

/// What a dashboard took over from the one before it, and what was computed again.
pub fn recomputed(before: &Step<Dashboard>, after: &Step<Dashboard>) {
    println!("\nWhat that last call computed again, after refund(42):");
    let again = |name: &str| after.ran.iter().find(|statement| statement.name == name);
    let mut names: Vec<_> = before.ran.iter().map(|statement| statement.name).collect();
    names.sort_by_key(|&name| (again(name).is_some(), name));
    for name in names {
        match again(name) {
            Some(statement) => fate(name, &format!("again, in {}", time(statement.time))),
            None => fate(name, "kept"),
        }
    }
    let kept = before.value.as_of == after.value.as_of;
    fate("dashboard", if kept { "kept" } else { "again, from these" });
    println!("Revenue: {} before, {} after.", total(&before.value), total(&after.value));
    println!("refund() only says that it changes `transactions`. It names no metric and no");
    println!("dashboard: the cache knows what was computed from what.");
}

/// What the cache counted, and where to go from here.
pub fn totals(cache: &impl Cache) {
    let stats = cache.stats();
    let (calls, computed) = (stats.hits + stats.misses, stats.computations);
    let spared = 100.0 * (1.0 - computed as f64 / calls as f64);
    println!("\nOf {calls} calls of cached functions, {computed} computed. {} waited for a", stats.joined);
    println!("computation under way, {} had a stored value: {spared:.1} % computed nothing.", stats.hits);
    println!("\nNext: examples/quickstart/src/metrics.rs is all that a service has to write;");
    println!("README.md shows the rest of what the attributes can do, and where values live.");
}

fn line(what: &str, ran: &str, time: &str) {
    println!("{what:<46} {ran:>10} {time:>14}");
}

fn fate(name: &str, fate: &str) {
    println!("  {name:<24}{fate}");
}

fn total(dashboard: &Dashboard) -> String {
    money(dashboard.revenue.iter().map(|paid| paid.cents).sum())
}

fn list(paid: &[Paid]) -> String {
    let texts: Vec<_> = paid.iter().map(|paid| format!("{} {}", paid.by, money(paid.cents))).collect();
    texts.join(", ")
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}
