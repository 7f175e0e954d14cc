//! Chosen lifetimes beside fixed ones, on three traces. The page of the guide has the figures.
//!
//! Time is simulated. Keys are asked for, and values change, at random (exponential) intervals of a seeded generator: all
//! policies see the same requests and the same changes.

use std::fmt::Write as _;

use fastrand::Rng;

use super::*;

const HOUR: f64 = 3_600.0;
const FIXED: [u64; 3] = [30, 300, 3_600];

/// What happens to the value under one key, in seconds from the beginning.
struct Events {
    took: f64,
    requests: Vec<f64>,
    changes: Vec<f64>,
}

/// Points in time, so many in a second on average.
fn points(rng: &mut Rng, rate: f64, span: std::ops::Range<f64>) -> Vec<f64> {
    let mut points = Vec::new();
    let mut now = span.start;
    loop {
        now += -(1.0 - rng.f64()).ln() / rate;
        if now >= span.end {
            return points;
        }
        points.push(now);
    }
}

/// Evenly spread over the orders of magnitude.
fn spread(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from * (to / from).powf(rng.f64())
}

/// Some are asked for much more often than others. What is slow, and what changes often, has nothing to do with it.
fn shop() -> Vec<Events> {
    let (mut rng, keys) = (Rng::with_seed(1), 400_u32);
    let weights: f64 = (1..=keys).map(|rank| 1.0 / f64::from(rank)).sum();
    let key = |rank| {
        let rate = 4.0 / weights / f64::from(rank);
        let (took, change) = (spread(&mut rng, 0.002, 0.5), spread(&mut rng, 60.0, 86_400.0));
        let requests = points(&mut rng, rate, 0.0..12.0 * HOUR);
        Events { took, requests, changes: points(&mut rng, 1.0 / change, 0.0..12.0 * HOUR) }
    };
    (1..=keys).map(key).collect()
}

/// What is asked for most changes most: once in 200 requests.
fn prices() -> Vec<Events> {
    let (mut rng, keys) = (Rng::with_seed(2), 400_u32);
    let weights: f64 = (1..=keys).map(|rank| 1.0 / f64::from(rank)).sum();
    let key = |rank| {
        let rate = 4.0 / weights / f64::from(rank);
        let requests = points(&mut rng, rate, 0.0..12.0 * HOUR);
        Events { took: 0.05, requests, changes: points(&mut rng, rate / 200.0, 0.0..12.0 * HOUR) }
    };
    (1..=keys).map(key).collect()
}

/// Slow, and asked for once in a minute to an hour. By night nothing changes, by day each changes once in ten minutes.
fn reports() -> Vec<Events> {
    let mut rng = Rng::with_seed(3);
    let key = |_| {
        let (took, asked) = (spread(&mut rng, 1.0, 20.0), spread(&mut rng, 60.0, HOUR));
        let requests = points(&mut rng, 1.0 / asked, 0.0..48.0 * HOUR);
        let days =
            [12.0, 36.0].map(|begin| points(&mut rng, 1.0 / 600.0, begin * HOUR..(begin + 12.0) * HOUR));
        Events { took, requests, changes: days.concat() }
    };
    (0..100).map(key).collect()
}

#[derive(Default)]
struct Sums {
    requests: usize,
    computations: usize,
    computing: f64,
    stale_answers: usize,
    out_of_date: f64,
}

impl Sums {
    fn cost(&self) -> f64 {
        self.computing + OUT_OF_DATE * self.out_of_date
    }
}

fn run(trace: &[Events], policy: &Policy) -> Sums {
    let lifetimes = AdaptiveLifetimes::default();
    let (begin, mut sums) = (Clock::default().now(), Sums::default());
    for (key, events) in trace.iter().enumerate() {
        let key = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let version = |at: f64| events.changes.partition_point(|change| *change <= at);
        let (mut read, mut end) = (0.0, 0.0);
        for &asked in &events.requests {
            sums.requests += 1;
            if asked >= end {
                sums.computations += 1;
                sums.computing += events.took;
                let (now, took) = (begin.after(seconds(asked + events.took)), seconds(events.took));
                let computed = Computed { now, took, digest: Some(version(asked) as u64) };
                read = asked;
                end = asked + events.took + lifetimes.choose(key, computed, policy).as_secs_f64();
                let changed = events.changes.get(version(asked)).copied().unwrap_or(f64::INFINITY);
                sums.out_of_date += (end - changed).max(0.0);
            } else if version(asked) != version(read) {
                sums.stale_answers += 1;
            }
        }
    }
    sums
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn row(trace: &str, lifetime: &str, sums: &Sums) -> String {
    format!(
        "| {trace} | {lifetime} | {} | {:.0} | {:.1} % | {:.0} | {:.0} |\n",
        sums.computations,
        sums.computing,
        100.0 * sums.stale_answers as f64 / sums.requests as f64,
        sums.out_of_date / HOUR,
        sums.cost(),
    )
}

const HEAD: &str = "| trace | lifetime | computations | seconds of computing | old answers | hours out of date | cost |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n";

#[test]
fn the_page_has_what_is_simulated() {
    let mut table = HEAD.to_owned();
    for (name, trace) in [("shop", shop()), ("prices", prices()), ("reports", reports())] {
        let fixed = FIXED.map(|ttl| (ttl, run(&trace, &Policy::ttl(secs(ttl)))));
        let adaptive = run(&trace, &policy());
        for (ttl, sums) in &fixed {
            let _ = write!(table, "{}", row(name, &format!("{ttl} s"), sums));
        }
        table += &row(name, "adaptive(30..=3600)", &adaptive);
        // Of values that are all alike, the best fixed lifetime is as good.
        let best = fixed.iter().map(|(_, sums)| sums.cost()).fold(f64::INFINITY, f64::min);
        let most = if name == "reports" { 1.1 } else { 0.9 };
        assert!(adaptive.cost() < most * best, "{name}: {table}");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lifetimes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, after) = page.split_once(HEAD).expect("the page has the table's head");
    let rest = after.find("\n\n").map_or("", |end| &after[end + 1..]);
    if std::env::var_os("LARDER_WRITE_PAGE").is_some() {
        std::fs::write(path, format!("{before}{table}{rest}")).unwrap();
    } else {
        assert!(page.contains(&table), "write it anew with LARDER_WRITE_PAGE=1:\n{table}");
    }
}
