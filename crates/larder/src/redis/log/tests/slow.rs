//! A process that is far behind on a link that is slow, or on a server with small buffers.

use larder_servers::{Direction, Fault, Proxy};

use super::*;

const RECORDS: u64 = 300;
const SCOPES: u64 = 1_024;

/// Appends records as large as they may be: 2.4 MB together.
fn append(process: &Process) {
    for record in 0..RECORDS {
        let scopes: Vec<_> =
            (0..SCOPES).map(|scope| ScopeHash::from_number(record * SCOPES + scope)).collect();
        let told = process.0.epochs().apply(&scopes, []).expect("there is a log");
        wait(told.echoed());
    }
}

fn check_caught_up(behind: &Process, ahead: &Process, since: ReadVersion) {
    until("it has caught up", || (behind.position() >= ahead.position()).then_some(()));
    let applied = |record: u64| {
        let scope = ScopeHash::from_number(record * SCOPES);
        !behind.0.epochs().unchanged(&[scope], since)
    };
    assert!((0..RECORDS).all(applied));
    assert_eq!(behind.0.status().gaps, 0);
    behind.hears(ahead, "k");
}

/// A thousand records would take four times as long as a reply may.
#[test]
fn a_reader_far_behind_catches_up_on_a_slow_link() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let [ahead, behind] = [server.url(), proxy.url()].map(|url| Process::start(&url));
    behind.hears(&ahead, "k");
    proxy.set(Direction::ToClient, Fault::Swallow);
    let since = behind.begin();
    append(&ahead);
    proxy.set(Direction::ToClient, Fault::Throttle(400_000));
    check_caught_up(&behind, &ahead, since);
}

/// Not even the smallest read comes within the usual time.
#[test]
fn a_reader_on_a_very_slow_link_waits_longer() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let ahead = Process::start(&server.url());
    let behind = Process::start(&proxy.url());
    behind.hears(&ahead, "k");
    proxy.set(Direction::ToClient, Fault::Swallow);
    let since = behind.begin();
    let scopes: Vec<_> = (0..SCOPES).map(ScopeHash::from_number).collect();
    for _ in 0..5 {
        wait(ahead.0.epochs().apply(&scopes, []).expect("there is a log").echoed());
    }
    proxy.set(Direction::ToClient, Fault::Throttle(16_000));
    until("it has caught up", || (behind.position() >= ahead.position()).then_some(()));
    assert!(!behind.0.epochs().unchanged(&scopes[..1], since));
}

/// The server ends a connection whose reply is larger.
#[test]
fn a_reader_far_behind_catches_up_under_a_small_output_buffer_limit() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let [ahead, behind] = [server.url(), proxy.url()].map(|url| Process::start(&url));
    behind.hears(&ahead, "k");
    proxy.set(Direction::ToClient, Fault::Swallow);
    let since = behind.begin();
    append(&ahead);
    server.command::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "normal 131072 0 0"]);
    proxy.heal();
    check_caught_up(&behind, &ahead, since);
    // A new process reads the log backwards, and so much at once neither. No scope is named: each slot was raised.
    let new = Process::start(&server.url());
    let oldest = server.command::<Value>(&["XRANGE", KEY, "-", "+", "COUNT", "1"]);
    let first = reply::entries(oldest).expect("it is a log")[0].epoch;
    until("what was read back", || new.0.judge(&[], first).map(drop));
}
