use larder_servers::{Data, Proxy};

use super::*;

/// Nothing that was known before is used any longer, and what is invalidated from now on is heard.
fn check_new_start(server: &RedisServer, processes: &[Process; 2], strike: impl FnOnce()) {
    let [a, b] = processes;
    b.hears(a, "k");
    let (since, before) = (b.begin(), b.position());
    strike();
    until("a new start", || (!b.holds("other", since)).then_some(()));
    until("a start of the other one", || a.0.admits(&replid(server)).then_some(()));
    until("a start of this one", || b.0.admits(&replid(server)).then_some(()));
    until("positions", || (a.position() > before && b.position() > before).then_some(()));
    assert!(!b.accepts("other", before));
    b.hears(a, "k");
    a.hears(b, "k");
}

fn replid(server: &RedisServer) -> String {
    server.info("replication", "master_replid").expect("it has one")
}

fn resets(processes: &[Process; 2]) -> u64 {
    processes.iter().map(|process| process.0.status().resets).sum()
}

#[test]
fn a_deleted_log_is_made_anew() {
    let server = RedisServer::start();
    let processes = two(&server);
    check_new_start(&server, &processes, || server.command(&["DEL", KEY]));
    assert!(processes.iter().all(|process| process.0.status().losses >= 1));
    assert!(resets(&processes) >= 2, "the first one, and this one");
}

#[test]
fn a_flushed_server_is_a_lost_log() {
    let server = RedisServer::start();
    let processes = two(&server);
    check_new_start(&server, &processes, || server.command(&["FLUSHALL"]));
}

#[test]
fn a_log_that_was_set_back_is_a_lost_one() {
    let server = RedisServer::start();
    let processes = two(&server);
    check_new_start(&server, &processes, || {
        server.command::<()>(&["DEL", KEY]);
        _ = server.try_command::<String>(&["XADD", KEY, "5-0", "r", "x"]);
    });
}

/// A process that has not noticed appends above all that was seen, before any other one has looked.
#[test]
fn a_log_that_was_set_back_and_went_on_is_a_lost_one() {
    const SET_BACK: &str = "redis.call('DEL', KEYS[1]) redis.call('XADD', KEYS[1], '5-0', 'r', 'x')
        return redis.call('XADD', KEYS[1], ARGV[1], 'r', ARGV[2])";
    const PUT_BACK: &str = "redis.call('RESTORE', KEYS[1], 0, ARGV[3], 'REPLACE')
        return redis.call('XADD', KEYS[1], ARGV[1], 'r', ARGV[2])";
    let server = RedisServer::start();
    let processes = two(&server);
    let [a, b] = &processes;
    for script in [SET_BACK, PUT_BACK] {
        let old: Vec<u8> = server.command(&["DUMP", KEY]);
        b.hears(a, "k");
        check_new_start(&server, &processes, || {
            let above = format!("{}-7", a.position().max(b.position()).milliseconds() + 1);
            let record = record::Content::Start { sender: 5 }.encode();
            let mut eval = ::redis::cmd("EVAL");
            eval.arg(script).arg(1).arg(KEY).arg(above).arg(record).arg(&old);
            eval.exec(&mut server.client(&server.url()).unwrap().get_connection().unwrap()).unwrap();
        });
    }
}

/// IDs that no server gives: the highest that an epoch can hold, one that it cannot, the end of all epochs, and one that
/// is a day above the clock.
#[test]
fn a_record_from_the_future_is_not_followed() {
    const DAY: u64 = 86_400_000;
    let server = RedisServer::start();
    let processes = two(&server);
    let now = processes[0].0.contact().server_now_ms().expect("it is known");
    let day = format!("{}-0", now + DAY);
    let ids = [&*day, "4398046511103-4194303", "18446744073709551615-0", "4090000000000-7"];
    for (round, id) in (1..).zip(ids) {
        check_new_start(&server, &processes, || server.command(&["XADD", KEY, id, "r", "x"]));
        for process in &processes {
            assert!(process.position().milliseconds() < now + 3_600_000, "{id}: {}", process.position());
        }
        let malformed = processes.iter().map(|process| process.0.status().malformed);
        assert!(malformed.sum::<u64>() >= round, "{id}");
        assert!(records(&server).iter().all(|entry| entry.epoch.milliseconds() < now + 3_600_000), "{id}");
    }
    // Nor by a process that begins there, if there is no room above.
    drop(processes);
    server.command::<()>(&["XADD", KEY, "4398046511103-0", "r", "x"]);
    let begun = two(&server);
    begun[0].hears(&begun[1], "k");
    assert!(begun.iter().all(|process| process.position().milliseconds() < now + 3_600_000));
}

/// Where IDs rise again after they were lowered, other processes go on up there: one has to yield. The order is that
/// of the IDs, whatever the clock says.
#[test]
fn a_log_that_leaps_again_is_followed() {
    const DAY: u64 = 86_400_000;
    let server = RedisServer::start();
    let processes = [Process::start(&server.url())];
    let [a] = &processes;
    let now = a.0.contact().server_now_ms().expect("it is known");
    let leap = |days: u64| {
        let id = format!("{}-0", now + days * DAY);
        let since = a.begin();
        server.command::<()>(&["XADD", KEY, &id, "r", "x"]);
        until("a new start", || (!a.holds("other", since)).then_some(()));
        until("contact", || a.0.contact().within(Duration::from_secs(1)).then_some(()));
    };
    leap(2);
    assert!(a.position().milliseconds() < now + DAY);
    leap(3);
    until("a position up there", || (a.position().milliseconds() >= now + 3 * DAY).then_some(()));
    // One that begins there goes on there too; and each hears of the other.
    let b = Process::start(&server.url());
    b.hears(a, "k");
    a.hears(&b, "k");
    // What is written up there is no forgery.
    assert!(a.0.order().latest_possible() >= b.position());
}

/// Several losses in a row raise the IDs by a minute each, and by chance a little more, so that no two logs have the
/// same; one that begins afterwards follows all the same.
#[test]
fn resets_in_a_row_are_no_leap() {
    let server = RedisServer::start();
    let processes = two(&server);
    let mut raised = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let before = processes[0].position().milliseconds();
        check_new_start(&server, &processes, || server.command(&["DEL", KEY]));
        raised.insert(processes[0].position().milliseconds() - before);
    }
    assert!(raised.len() > 1 && raised.first() >= Some(&60_000), "{raised:?}");
    let late = Process::start(&server.url());
    late.hears(&processes[0], "k");
    processes[1].hears(&late, "k");
    for process in processes.iter().chain([&late]) {
        assert_eq!((process.0.status().leaps, process.0.status().malformed), (0, 0));
        let latest = process.0.order().latest_possible();
        assert!(latest >= late.position(), "an entry that is written now is accepted");
    }
}

#[test]
fn a_server_that_comes_back_without_its_data() {
    let server = RedisServer::start();
    let processes = two(&server);
    check_new_start(&server, &processes, || {
        server.kill();
        server.restart(Data::Lost);
    });
    assert!(processes.iter().all(|process| process.0.status().replacements >= 1));
}

#[test]
fn a_server_that_comes_back_with_its_data() {
    let server = RedisServer::builder().append_only().start();
    let [a, b] = two(&server);
    b.hears(&a, "k");
    let [before, since] = [b.begin(), a.begin()];
    server.kill();
    a.invalidate("meanwhile");
    server.restart(Data::Kept);
    until("new starts", || [&a, &b].iter().all(|process| process.0.status().replacements >= 1).then_some(()));
    assert!(!b.holds("other", before) && !a.holds("other", since));
    assert_eq!(resets(&[a, b]), 1, "the log is the same");
}

/// What was acknowledged and lost is appended again by the process that called it.
#[test]
fn a_server_that_comes_back_with_older_data() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    server.command::<()>(&["SAVE"]);
    b.hears(&a, "lost");
    let key = Scope::key("lost").hash();
    let carried = |server: &RedisServer| {
        let is_it = |entry: &LogEntry| matches!(&entry.content, Some(record::Content::Invalidation { scopes, .. }) if scopes.contains(&key));
        records(server).iter().filter(|entry| is_it(entry)).count()
    };
    assert_eq!(carried(&server), 1);
    server.kill();
    server.restart(Data::Kept);
    until("the same again", || (carried(&server) == 1).then_some(()));
    assert!(records(&server).len() >= 3, "two resets before it");
    b.hears(&a, "k");
}

#[test]
fn an_ordinary_reconnect_drops_nothing() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    b.hears(&a, "k");
    let (since, before) = (b.begin(), b.position());
    for _ in 0..5 {
        server.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        b.hears(&a, "k");
    }
    assert!(b.holds("other", since));
    assert!(b.accepts("other", before));
    let status = b.0.status();
    assert_eq!((status.gaps, status.losses, status.replacements), (0, 0, 0));
}

#[test]
fn a_trim_of_what_was_read_drops_nothing() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    for n in 0..50 {
        wait(a.invalidate(&n.to_string()).echoed());
    }
    b.hears(&a, "k");
    let since = b.begin();
    server.command::<()>(&["XTRIM", KEY, "MAXLEN", "10"]);
    b.hears(&a, "k");
    assert!(b.holds("other", since));
    assert_eq!(b.0.status().gaps, 0);
}

#[test]
fn a_trim_of_what_was_not_read_is_a_gap() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let a = Process::start(&server.url());
    let b = Process::start(&proxy.url());
    b.hears(&a, "k");
    let (since, before) = (b.begin(), b.position());
    proxy.blackhole();
    for n in 0..30 {
        wait(a.invalidate(&n.to_string()).echoed());
    }
    server.command::<()>(&["XTRIM", KEY, "MAXLEN", "5"]);
    assert!(b.holds("0", since), "not heard of");
    proxy.heal();
    until("a new start", || (b.0.status().gaps == 1).then_some(()));
    assert!(!b.holds("0", since) && !b.holds("other", since));
    assert!(!b.accepts("other", before));
    // What is retained was read back.
    let retained = records(&server)[0].epoch;
    until("what was read back", || b.accepts("other", retained).then_some(()));
    assert!(!b.accepts("29", retained));
    b.hears(&a, "k");
}

#[test]
fn what_was_missed_and_not_trimmed_is_read_later() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let a = Process::start(&server.url());
    let b = Process::start(&proxy.url());
    b.hears(&a, "k");
    let since = b.begin();
    proxy.blackhole();
    wait(a.invalidate("missed").echoed());
    let own = b.invalidate("own");
    proxy.heal();
    until("what was missed", || (!b.holds("missed", since)).then_some(()));
    assert!(b.holds("other", since));
    wait(own.echoed());
    assert_eq!(b.0.status().gaps, 0);
}

#[test]
fn a_stopped_server_is_out_of_touch_and_loses_nothing() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    b.hears(&a, "k");
    let since = b.begin();
    server.pause();
    let told = a.invalidate("k");
    let limit = Duration::from_millis(1_500);
    assert!(b.0.contact().within(limit));
    until("loss of contact", || (!b.0.contact().within(limit)).then_some(()));
    assert_eq!(a.0.status().outbox, 1);
    server.resume();
    wait(told.echoed());
    until("delivery", || (!b.holds("k", since)).then_some(()));
    until("contact", || b.0.contact().within(limit).then_some(()));
    assert!(b.holds("other", since));
    assert_eq!(b.0.status().replacements, 0);
}

#[test]
fn a_sequence_near_its_end_moves_to_the_next_millisecond() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    // The reset has put the log a minute ahead of the clock: the milliseconds stay the same for a while.
    until("the marks of both starts", || (records(&server).len() == 3).then_some(()));
    let milliseconds = records(&server)[2].epoch.milliseconds() + 1;
    let near = Epoch::from_id(milliseconds, (1 << 22) - 3).unwrap().to_string();
    let wake = "\u{1}\u{1}\0\0\0\0\0\0\0\0\0";
    server.command::<()>(&["XADD", KEY, &near, "r", wake]);
    for n in 0..10 {
        b.hears(&a, &n.to_string());
    }
    assert!(b.position() >= Epoch::from_id(milliseconds + 1, 0).unwrap());
    let status = b.0.status();
    assert_eq!((status.gaps, status.losses, status.malformed), (0, 0, 0));
}

#[test]
fn what_cannot_be_read_covers_everything() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    for (n, words) in [["r", "junk"], ["q", "\u{1}\u{1}\0\0\0\0\0\0\0\0\0"]].iter().enumerate() {
        let (since, before) = (b.begin(), b.position());
        server.command::<String>(&["XADD", KEY, "*", words[0], words[1]]);
        until("a change", || (!b.holds("other", since)).then_some(()));
        assert!(!b.accepts("other", before));
        assert_eq!(b.0.status().malformed, n as u64 + 1);
    }
    assert_eq!(b.0.status().gaps, 0);
    b.hears(&a, "k");
}

#[test]
fn a_connection_to_another_server_is_not_admitted() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let since = b.begin();
    assert!(b.0.admits(&replid(&server)));
    assert!(!b.0.admits("another"));
    b.hears(&a, "k");
    assert!(b.holds("other", since), "the reader looked, and the server is the same");
    assert!(b.0.admits(&replid(&server)));
}

/// A master that becomes a replica and a master again, without ending its connections.
#[test]
fn a_change_of_role_is_a_new_start() {
    let [server, other] = [(); 2].map(|()| RedisServer::start());
    let [a, b] = two(&server);
    // The other one has the same log: all that tells of the change is who the master is.
    other.command::<()>(&["REPLICAOF", "127.0.0.1", &server.port().to_string()]);
    b.hears(&a, "k");
    until("a copy", || {
        let (offset, copied) = (
            server.info("replication", "master_repl_offset"),
            other.info("replication", "slave_repl_offset"),
        );
        let is_up = other.info("replication", "master_link_status").as_deref() == Some("up");
        (is_up && offset == copied).then_some(())
    });
    other.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    let since = b.begin();
    server.command::<()>(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    let told = a.invalidate("k");
    until("the other server's data", || {
        (server.info("replication", "master_link_status").as_deref() == Some("up")).then_some(())
    });
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    until("a new start", || (!b.holds("other", since)).then_some(()));
    wait(told.echoed());
    let status = b.0.status();
    assert!(status.replacements >= 1 && status.losses == 0, "{status:?}");
    until("the other one's start", || (a.0.status().replacements >= 1).then_some(()));
    b.hears(&a, "k");
}
