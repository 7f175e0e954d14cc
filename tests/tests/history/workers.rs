//! How a worker ends.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use larder_servers::{Process, until};
use larder_tests::history::config::{Backend, Mode, Pace, WorkerConfig};
use larder_tests::history::log::{Log, Record};
use larder_tests::history::source::{Phase, SourceServer};
use larder_tests::history::space::Space;

use crate::worker;

/// A worker that lives until it is ended.
fn start(directory: &Path) -> (Process, SourceServer) {
    let source = SourceServer::start(&directory.join("source"), Space::new(1).keys.len()).unwrap();
    let config = WorkerConfig {
        process: 0,
        processes: 1,
        life: 0,
        seed: 1,
        source: directory.join("source"),
        log: directory.join("log"),
        backend: Backend::Memory,
        disk: None,
        mode: Mode::Serve,
        pace: Pace::BUSY,
        settles_within: Duration::from_secs(1),
    };
    let argument = serde_json::to_string(&config).unwrap();
    let output = File::create(directory.join("output")).unwrap();
    let process = Process::start(worker().as_os_str(), &[argument.as_ref()], directory, &output).unwrap();
    until("the worker lives", || source.is_done(0, Phase::Live).then_some(()));
    (process, source)
}

#[test]
fn a_worker_that_is_terminated_writes_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let (mut process, _source) = start(directory.path());
    process.terminate();
    let status = until("the worker ends", || process.exited());
    assert!(status.success(), "{status}");
    let log = Log::read(&directory.path().join("log")).unwrap();
    assert!(matches!(log.records().last(), Some(Some(Record::Tally(_)))));
}

#[test]
fn a_worker_that_is_killed_loses_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let (mut process, _source) = start(directory.path());
    process.kill();
    assert!(!directory.path().join("log").exists());
}
