//! Several processes, one source of truth, every fault, and no read that breaks a promise.
//!
//! Each test prints what it did. `LARDER_SOAK=<seconds>` makes each last so long, with all processes serving
//! and, beside that, with all of them bypassing what they cannot vouch for; `LARDER_SEED` makes the workers' choices those of
//! an earlier run. `LARDER_MUTANTS=1` also builds workers whose library breaks a rule, and expects that to be
//! found.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a test may panic, and tells what it did")]

mod memory;
mod mutants;
mod scenarios;
mod workers;

use std::env;
use std::path::Path;
use std::time::Duration;

use larder_tests::history::checker::Report;
use larder_tests::history::config::{Mode, Pace};
use larder_tests::history::faults::{Fault, Scenario};

/// The program of the workers.
fn worker() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_history_worker"))
}

/// Longer than a quiet log takes to be looked at, and shorter than what faults take.
const BYPASS: Mode = Mode::Bypass(Duration::from_millis(400));

/// How long each scenario is to last, if that is given.
fn soak() -> Option<Duration> {
    let seconds = env::var("LARDER_SOAK").ok()?;
    Some(Duration::from_secs_f64(seconds.parse().unwrap()))
}

fn scenario(fault: Fault, modes: [Mode; 3], lasts: Duration) -> Scenario<'static> {
    Scenario {
        worker: worker(),
        environment: Vec::new(),
        fault,
        modes: modes.to_vec(),
        lasts,
        pace: Pace::BUSY,
        keeps_logs: true,
    }
}

/// Checks a scenario, and tells what it did.
fn report(scenario: &Scenario<'_>) -> Report {
    let report = scenario.check();
    let Scenario { fault, modes, .. } = scenario;
    println!("{fault:?}, {modes:?}: {report}");
    report
}

fn assert_holds(report: &Report) {
    let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
