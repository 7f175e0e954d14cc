//! A log that can be looked at and appended to, and not read.

use super::*;

/// From now on, or no longer.
fn refuse_reads(server: &RedisServer, refuses: bool) {
    server.command::<()>(&["ACL", "SETUSER", "default", if refuses { "-xread" } else { "+xread" }]);
}

/// Waits for so many sessions of a reader, or more.
fn sessions(process: &Process, count: usize) {
    let mut last = process.0.shared().identity();
    for _ in 0..count {
        until("another connection", || (process.0.shared().identity() != last).then_some(()));
        last = process.0.shared().identity();
    }
}

fn records_of(server: &RedisServer, key: &str) -> usize {
    let scope = Scope::key(key).hash();
    let covers = |entry: &LogEntry| match &entry.content {
        Some(record::Content::Invalidation { scopes, .. }) => scopes.contains(&scope),
        _ => false,
    };
    records(server).iter().filter(|entry| covers(entry)).count()
}

#[test]
fn what_is_invalidated_is_appended_once_however_often_the_reader_connects() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    refuse_reads(&server, true);
    // What is blocked already goes on until there is something to read.
    a.invalidate("first");
    sessions(&a, 1);
    let since = b.begin();
    let told = a.invalidate("k");
    let epoch = wait(told.named());
    sessions(&a, 4);
    assert_eq!(records_of(&server, "k"), 1);
    assert!(a.outbox().has(Scope::key("k").hash()), "not read back");

    refuse_reads(&server, false);
    until("the echo", || a.rests().then_some(()));
    assert_eq!(records_of(&server, "k"), 1, "it is recognised by its epoch");
    assert!(a.position() >= epoch);
    until("delivery", || (!b.holds("k", since)).then_some(()));
    assert!(a.accepts("k", epoch) && a.accepts("other", epoch));
}

#[test]
fn nothing_of_the_server_is_accepted_before_the_log_was_read() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    refuse_reads(&server, true);
    let b = Process(RedisLog::start(
        PREFIX,
        Arc::new(SingleServer::new(&server.url()).expect("a URL")),
        settings(),
    ));
    wait(b.0.started()).expect("it is no error");
    sessions(&b, 2);
    assert_eq!(b.0.status().first_starts, 1);
    // It does not hear of this.
    wait(a.invalidate("k").named());
    assert!(!b.accepts("k", a.position()) && !b.accepts("k", b.position()));
    assert!(!b.accepts("other", b.position()));
    // But it tells others, and keeps what it computes.
    let since = [a.begin(), b.begin()];
    wait(b.invalidate("of b").named());
    assert!(b.holds("k", since[1]));

    refuse_reads(&server, false);
    until("what was invalidated in between", || (!b.holds("k", since[1])).then_some(()));
    until("the other one", || (!a.holds("of b", since[0])).then_some(()));
    until("an entry", || b.accepts("k", b.position()).then_some(()));
    assert!(b.accepts("other", b.position()));
}
