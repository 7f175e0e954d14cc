//! A replica that takes its master's place, and does not have all of its log.

use larder_servers::{Direction, Fault, Proxy};

use super::*;

fn has_caught_up(replica: &RedisServer, master: &RedisServer) -> Option<()> {
    let ids = |server: &RedisServer| {
        let entries = server.try_command::<Value>(&["XRANGE", KEY, "-", "+"]).ok()?;
        Some(reply::entries(entries).ok()?.into_iter().map(|entry| entry.epoch).collect::<Vec<_>>())
    };
    (ids(replica)? == ids(master)? && !ids(master)?.is_empty()).then_some(())
}

/// A process on a master, and the replica of that as it was before the last invalidations.
struct Failover {
    connector: Arc<SingleServer>,
    process: Process,
    master: RedisServer,
    replica: RedisServer,
    /// An epoch from before the invalidation.
    before: Epoch,
}

impl Failover {
    /// The replica lacks what is delivered `lost`.
    fn prepare(lost: bool) -> Self {
        let [master, replica] = [(); 2].map(|()| RedisServer::start());
        let connector = Arc::new(SingleServer::new(&master.url()).expect("a URL"));
        let process = Process(RedisLog::start(PREFIX, connector.clone(), settings())).started();
        wait(process.invalidate("first").echoed());
        let before = process.position();
        replica.command::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        until("the replica", || has_caught_up(&replica, &master));
        let failover = Self { connector, process, master, replica, before };
        if lost {
            failover.cut();
        }
        wait(failover.process.invalidate("k").echoed());
        if !lost {
            until("the replica", || has_caught_up(&failover.replica, &failover.master));
            failover.cut();
        }
        // More than a minute passes.
        failover.process.outbox().forget();
        failover
    }

    fn cut(&self) {
        self.replica.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    }

    fn fail_over(&self) {
        self.master.kill();
        self.connector.switch_to(&self.replica.url());
        self.process.begins_anew_on(&self.replica);
    }
}

/// A new process is the first to append to the replica, and knows nothing of what is missing.
#[test]
fn what_a_failover_lost_is_invalidated_however_long_ago_it_was() {
    let failover = Failover::prepare(true);
    let new = Process::start(&failover.replica.url());
    for n in 0..3 {
        wait(new.invalidate(&format!("other:{n}")).echoed());
    }
    let since = new.begin();
    until("what was read back", || new.accepts("k", failover.before).then_some(()));
    assert!(new.position() > failover.process.position(), "epochs rise");

    failover.fail_over();
    until("the reset", || (!new.holds("k", since)).then_some(()));
    assert!(!new.accepts("k", failover.before));
    assert!(!failover.process.accepts("k", failover.before));
    new.hears(&failover.process, "k");
    failover.process.hears(&new, "k");
}

/// The IDs of what was lost are not given again: else an entry that was made after it would be newer than what is
/// invalidated now. The entry may lie on another server of a cluster, which did not fail.
fn is_above_what_was_lost(begin_anew: impl Fn(&Failover)) {
    let failover = Failover::prepare(true);
    begin_anew(&failover);
    for n in 0..3 {
        wait(failover.process.invalidate(&format!("lost:{n}")).echoed());
    }
    let lost = failover.process.position();
    // No failover is faster.
    std::thread::sleep(Duration::from_millis(100));
    let new = Process::start(&failover.replica.url());
    wait(new.invalidate("k").echoed());
    assert!(new.position() > lost, "{} is not above {lost}", new.position());
    assert!(!new.accepts("k", lost));
}

#[test]
fn what_is_invalidated_after_a_failover_is_newer_than_what_it_lost() {
    is_above_what_was_lost(|_| ());
}

/// It was marked on the old server, and the mark is lost as well.
#[test]
fn what_is_invalidated_after_a_failover_is_newer_than_a_new_start_that_it_lost() {
    is_above_what_was_lost(|failover| {
        // With its first replica it has got another ID, as if it were another server.
        failover.master.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        until("a new start", || (failover.process.0.status().replacements == 1).then_some(()));
    });
}

/// Nothing is missing: no other process has to forget anything.
#[test]
fn a_replica_that_has_everything_is_no_reset() {
    let failover = Failover::prepare(false);
    let new = Process::start(&failover.replica.url());
    let since = new.begin();
    failover.fail_over();
    new.hears(&failover.process, "k");
    assert!(new.holds("other", since));
    assert_eq!(new.0.status().resets + failover.process.0.status().resets, 1, "that of the first log");
}

/// The same ID may be that of another record.
#[test]
fn another_record_of_the_same_epoch_does_not_count() {
    let failover = Failover::prepare(true);
    let lost = failover.process.position().to_string();
    failover.replica.command::<String>(&["XADD", KEY, &lost, "r", "\u{1}\u{1}\0\0\0\0\0\0\0\0\0"]);
    let new = Process::start(&failover.replica.url());
    let since = new.begin();
    failover.fail_over();
    until("the reset", || (!new.holds("k", since)).then_some(()));
    assert!(!new.accepts("k", failover.before));
}

/// One of them makes it, and the others find it.
#[test]
fn many_processes_make_one_reset() {
    let failover = Failover::prepare(true);
    let others: Vec<_> = (0..4)
        .map(|_| {
            let connector = Arc::new(SingleServer::new(&failover.master.url()).expect("a URL"));
            let process = Process(RedisLog::start(PREFIX, connector.clone(), settings())).started();
            (connector, process)
        })
        .collect();
    failover.fail_over();
    for (connector, process) in &others {
        connector.switch_to(&failover.replica.url());
        process.begins_anew_on(&failover.replica);
        assert!(!process.accepts("k", failover.before));
    }
    let resets: u64 = others.iter().map(|(_, process)| process.0.status().resets).sum();
    assert_eq!(resets, 0, "that of the first process is enough");
}

/// What says whether a server is the one that it was.
const TELLS: &[&str] = &["\nmaster_replid:", "\nrun_id:", "\nrole:"];

/// As a service does that shows little of its servers.
fn hides_what_tells(server: &RedisServer) -> Proxy {
    let proxy = Proxy::start(server.address());
    proxy.set(Direction::ToClient, Fault::Hide(TELLS));
    proxy
}

#[test]
fn a_server_that_does_not_tell_which_data_it_has() {
    let server = RedisServer::start();
    let proxy = hides_what_tells(&server);
    let [process, other] = [(); 2].map(|()| Process::start(&proxy.url()));
    let since = process.begin();
    let connected: u64 = connections_of(&server);
    // The server is asked several times meanwhile whether it is still the same.
    for n in 0..30 {
        wait(process.invalidate(&format!("a:{n}")).echoed());
        std::thread::sleep(Duration::from_millis(20));
    }
    process.hears(&other, "k");
    // The tests' own commands connect once each at most.
    assert!(connections_of(&server) - connected < 10, "no connection after the other");
    // The last record is still there.
    assert!(server.kill_clients() > 0);
    process.hears(&other, "l");
    assert!(process.holds("untouched", since));
    assert_eq!(process.0.status().replacements + other.0.status().replacements, 0);
}

fn connections_of(server: &RedisServer) -> u64 {
    let connections = server.info("stats", "total_connections_received").expect("every server counts them");
    connections.trim().parse().expect("it is a number")
}

#[test]
fn a_failover_that_is_not_told_and_has_lost_records() {
    let [master, replica] = [(); 2].map(|()| RedisServer::start());
    let [to_master, to_replica] = [&master, &replica].map(hides_what_tells);
    let connector = Arc::new(SingleServer::new(&to_master.url()).expect("a URL"));
    let process = Process(RedisLog::start(PREFIX, connector.clone(), settings())).started();
    wait(process.invalidate("first").echoed());
    replica.command::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    until("the replica", || has_caught_up(&replica, &master));
    replica.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    let before = process.position();
    wait(process.invalidate("k").echoed());
    process.outbox().forget();
    let new = Process::start(&to_replica.url());
    wait(new.invalidate("other").echoed());
    let since = new.begin();
    until("what was read back", || new.accepts("k", before).then_some(()));

    master.kill();
    connector.switch_to(&to_replica.url());
    until("a reset", || (!new.holds("k", since)).then_some(()));
    assert!(!new.accepts("k", before));
    until("a new start", || (process.0.status().replacements == 1).then_some(()));
}
