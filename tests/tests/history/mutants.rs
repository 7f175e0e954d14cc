//! The library with a rule broken on purpose, which has to be found out. With `LARDER_MUTANTS=1`: it takes a
//! build of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use larder_tests::history::checker::Report;
use larder_tests::history::config::{Backend, Mode, Pace};
use larder_tests::history::faults::{Fault, Scenario};
use larder_tests::history::run::{Setup, run};

use crate::BYPASS;

/// Long enough to have been found out each time.
const LONG: Duration = Duration::from_secs(6);

/// Runs that may go by before it is found out: some harm takes an invalidation within a few milliseconds of
/// another one.
const ATTEMPTS: usize = 20;

/// Rules of one process: what has to happen for it to be found out happens all the time.
const LOCAL: [&str; 7] = [
    "stamp-after-computation",
    "hits-not-recorded",
    "misses-not-recorded",
    "joins-any-flight",
    "flight-judged-by-own-scopes",
    "insert-without-check",
    "prefixes-not-applied",
];

/// Rules between processes, and what finds them out.
///
/// Not here is what no history shows, and what the model (`tests/model.rs`) and the model checker (the tests in
/// `larder` whose names begin with `loom`) show instead:
///
/// - whose harm takes two threads within a few instructions: `NowBeforeSlots`, `PositionBeforeSlots`,
///   `TwoAppliers`, `StampMovedToLaterNow`, `SlotsLookedAtFirst`, `OutboxAfterLocalChange`,
///   `AppendBeforeLocalChange`;
/// - whose harm takes a server whose clock goes back: `ResetAtServersId`; or a failover that loses records which one
///   process was about to use, and a second one that has not seen them: `NoLeapAfterStart`, for which the log has a
///   test of its own;
/// - which another rule makes good unless a sender dies at the same time, or all who have seen the lost records do:
///   after a failover that lost records, the one process that has seen them makes the log anew, with a record that
///   covers everything. `BackwardReadLowersReset`, `ReplicaNotNoticed`, `NotAppendedAgain`;
/// - which is found in one run of twenty: `OlderEchoEmptiesOutbox`, for which the outbox has a test of its own.
const SHARED: [(&str, Fault, Mode); 14] = [
    ("outbox-not-looked-at", Fault::Delay, Mode::Serve),
    ("failed-append-forgotten", Fault::BlackHole, Mode::Serve),
    ("promotion-stamped-at-insertion", Fault::Nothing, Mode::Serve),
    ("promotion-without-check", Fault::Nothing, Mode::Serve),
    ("write-stamped-at-end", Fault::Nothing, Mode::Serve),
    ("own-scopes-on-the-wire", Fault::Nothing, Mode::Serve),
    ("own-reply-moves-position", Fault::Nothing, Mode::Serve),
    ("no-floor-at-start", Fault::KillWorker, Mode::Serve),
    ("no-gap-check", Fault::TrimLog, Mode::Serve),
    ("no-floor-after-a-trim", Fault::TrimLog, Mode::Serve),
    ("floor-rise-is-no-local-change", Fault::TrimLog, Mode::Serve),
    ("lost-log-taken-for-quiet", Fault::DeleteLog, Mode::Serve),
    ("contact-proven-at-reply", Fault::Delay, Mode::Serve),
    ("bypass-ignored", Fault::BlackHole, BYPASS),
];

/// Whether this one is to be looked for: `LARDER_MUTANTS` is 1 for all of them, or names some.
fn is_wanted(mutant: &str) -> bool {
    env::var("LARDER_MUTANTS")
        .is_ok_and(|wanted| wanted == "1" || wanted.split(',').any(|name| name == mutant))
}

/// How many runs it takes until something is found; none if that does not come about.
fn runs_until_found(mutant: &str, run: impl Fn() -> Report) -> Option<usize> {
    (1..=ATTEMPTS).find(|number| {
        let report = run();
        println!("{mutant}, run {number}: {report}");
        report.violations.first().inspect(|violation| println!("{violation}")).is_some()
    })
}

fn named(mutant: &str) -> Vec<(String, String)> {
    vec![("LARDER_MUTANT".to_owned(), mutant.to_owned())]
}

/// The worker with all mutants, of which `LARDER_MUTANT` chooses one.
fn worker() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let flags = env::var("RUSTFLAGS").unwrap_or_default();
        let status = Command::new(env!("CARGO"))
            .args(["build", "-p", "larder-tests", "--bin", "history_worker", "--target-dir"])
            .arg(&target)
            .env("RUSTFLAGS", format!("{flags} --cfg larder_mutant"))
            // It takes a target directory of its own: a small one.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0")
            .status()
            .unwrap();
        assert!(status.success(), "the mutants do not build");
        target.join("debug/history_worker")
    })
}

#[test]
fn rules_of_one_process() {
    let missed = LOCAL.into_iter().filter(|mutant| is_wanted(mutant)).filter(|mutant| {
        let setup = Setup {
            worker: worker(),
            environment: named(mutant),
            processes: vec![(Backend::Memory, Mode::Serve)],
            pace: Pace::BUSY,
            lasts: LONG,
            epochs_rise: true,
            keeps_logs: false,
        };
        runs_until_found(mutant, || run(&setup, |_| {})).is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), [""; 0], "not found out");
}

#[test]
fn rules_between_processes() {
    let missed =
        SHARED.into_iter().filter(|(mutant, ..)| is_wanted(mutant)).filter(|(mutant, fault, mode)| {
            let scenario = Scenario {
                worker: worker(),
                environment: named(mutant),
                fault: *fault,
                modes: vec![*mode; 3],
                lasts: LONG,
                pace: Pace::BUSY,
                keeps_logs: false,
            };
            runs_until_found(mutant, || scenario.check()).is_none()
        });
    let missed: Vec<_> = missed.map(|(mutant, ..)| mutant).collect();
    assert_eq!(missed, [""; 0], "not found out");
}
