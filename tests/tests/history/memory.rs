//! One process, its memory, and its disk: the first promise.

use std::time::Duration;

use larder_tests::history::config::{Backend, Mode, Pace};
use larder_tests::history::run::{Setup, run};

use larder_tests::history::checker::Report;

use crate::{assert_holds, soak, worker};

#[test]
fn no_read_gives_what_was_invalidated_before_it() {
    holds(None);
}

#[test]
fn no_read_of_a_disk_tier_does() {
    let report = holds(Some(0));
    assert!(report.tally.from_disk > 100, "too little was found on disk to prove anything");
}

fn holds(on_disk: Option<usize>) -> Report {
    let setup = Setup {
        worker: worker(),
        environment: Vec::new(),
        processes: vec![(Backend::Memory, Mode::Serve)],
        on_disk,
        pace: Pace::BUSY,
        lasts: soak().unwrap_or(Duration::from_secs(4)),
        epochs_rise: true,
        keeps_logs: true,
    };
    let report = run(&setup, |_| {});
    println!("memory, on disk {on_disk:?}: {report}");
    assert_holds(&report);
    assert!(report.from_cache > 1_000 && report.changes > 200, "too little happened to prove anything");
    assert!(report.tally.kept > 5, "too few old values were kept to prove anything");
    assert!(report.tally.in_transactions > 5, "too little was read in transactions to prove anything");
    report
}
