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

use self::rule::Rule;
use crate::BYPASS;

#[path = "../../../crates/larder/src/mutant/rule.rs"]
mod rule;

/// Long enough to have been found out each time.
const LONG: Duration = Duration::from_secs(6);

/// Runs that may go by before it is found out: some harm takes an invalidation within a few milliseconds of
/// another one.
const ATTEMPTS: usize = 20;

/// Rules of one process: what has to happen for it to be found out happens all the time.
const LOCAL: [Rule; 11] = [
    Rule::StampAfterComputation,
    Rule::HitsNotRecorded,
    Rule::MissesNotRecorded,
    Rule::PreviousNotJudged,
    Rule::PreviousNotRecorded,
    Rule::StreamPollsNotRecorded,
    Rule::JoinsAnyComputation,
    Rule::ComputationJudgedByOwnScopes,
    Rule::InsertWithoutCheck,
    Rule::PrefixesNotApplied,
    Rule::MarksNotApplied,
];

/// Rules between processes, and what finds them out.
///
/// Not here is what no history shows, and what the model (`tests/model`) and the model checker (the tests in
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
const SHARED: [(Rule, Fault, Mode); 14] = [
    (Rule::OutboxNotLookedAt, Fault::Delay, Mode::Serve),
    (Rule::FailedAppendForgotten, Fault::BlackHole, Mode::Serve),
    (Rule::PromotionStampedAtInsertion, Fault::Nothing, Mode::Serve),
    (Rule::PromotionWithoutCheck, Fault::Nothing, Mode::Serve),
    (Rule::WriteStampedAtEnd, Fault::Nothing, Mode::Serve),
    (Rule::OwnScopesOnTheWire, Fault::Nothing, Mode::Serve),
    (Rule::OwnReplyMovesPosition, Fault::Nothing, Mode::Serve),
    (Rule::NoFloorAtStart, Fault::KillWorker, Mode::Serve),
    (Rule::NoGapCheck, Fault::TrimLog, Mode::Serve),
    (Rule::NoFloorAfterATrim, Fault::TrimLog, Mode::Serve),
    (Rule::FloorRiseIsNoLocalChange, Fault::TrimLog, Mode::Serve),
    (Rule::LostLogTakenForQuiet, Fault::DeleteLog, Mode::Serve),
    (Rule::ContactProvenAtReply, Fault::Delay, Mode::Serve),
    (Rule::BypassIgnored, Fault::BlackHole, BYPASS),
];

/// Which another rule makes good, as the comment above says of `ReplicaNotNoticed`.
const HIDDEN: [Rule; 1] = [Rule::ReplicaTakenForWhole];

/// Whether this one is to be looked for: `LARDER_MUTANTS` is 1 for all of them, or names some.
fn is_wanted(rule: Rule) -> bool {
    env::var("LARDER_MUTANTS")
        .is_ok_and(|wanted| wanted == "1" || wanted.split(',').any(|name| name == rule.name()))
}

/// How many runs it takes until something is found; none if that does not come about.
fn runs_until_found(rule: Rule, run: impl Fn() -> Report) -> Option<usize> {
    (1..=ATTEMPTS).find(|number| {
        let report = run();
        println!("{rule:?}, run {number}: {report}");
        report.violations.first().inspect(|violation| println!("{violation}")).is_some()
    })
}

fn named(rule: Rule) -> Vec<(String, String)> {
    vec![("LARDER_MUTANT".to_owned(), rule.name().to_owned())]
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
    let missed = LOCAL.into_iter().filter(|&rule| is_wanted(rule)).filter(|&rule| {
        let setup = Setup {
            worker: worker(),
            environment: named(rule),
            processes: vec![(Backend::Memory, Mode::Serve)],
            on_disk: None,
            pace: Pace::BUSY,
            lasts: LONG,
            epochs_rise: true,
            keeps_logs: false,
        };
        runs_until_found(rule, || run(&setup, |_| {})).is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), [], "not found out");
}

#[test]
fn rules_between_processes() {
    let missed = SHARED.into_iter().filter(|&(rule, ..)| is_wanted(rule)).filter(|&(rule, fault, mode)| {
        let scenario = Scenario {
            worker: worker(),
            environment: named(rule),
            fault,
            modes: vec![mode; 3],
            lasts: LONG,
            pace: Pace::BUSY,
            keeps_logs: false,
        };
        runs_until_found(rule, || scenario.check()).is_none()
    });
    let missed: Vec<_> = missed.map(|(rule, ..)| rule).collect();
    assert_eq!(missed, [], "not found out");
}

#[test]
fn each_rule_is_looked_for() {
    let looked_for: Vec<_> =
        LOCAL.into_iter().chain(SHARED.map(|(rule, ..)| rule)).chain(HIDDEN).map(Rule::name).collect();
    for rule in Rule::ALL {
        let times = looked_for.iter().filter(|name| **name == rule.name()).count();
        assert_eq!(times, 1, "{rule:?}");
    }
}
