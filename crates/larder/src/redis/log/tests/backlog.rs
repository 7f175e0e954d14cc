//! What waits for the server, and how it is delivered when that is back.

use larder_servers::{Data, Direction, Fault, Proxy};

use super::*;

/// A gigabit would be ten times as fast.
const RATE: u64 = 12_500_000;

/// What a scheduler may add, with other work on the machine.
const SLACK: Duration = Duration::from_secs(3);

fn key(bytes: usize, number: usize) -> String {
    format!("{number:0>bytes$}")
}

/// Two processes, one of them on a link of its own.
fn linked() -> (RedisServer, Proxy, [Process; 2]) {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let processes = [proxy.url(), server.url()].map(|url| Process::start(&url));
    processes[1].hears(&processes[0], "k");
    // Nothing is on its way any longer when the test begins with its fault.
    until("rest", || processes[0].rests().then_some(()));
    (server, proxy, processes)
}

/// Invalidates while the link is down, and returns how long the last one took to be known after its return.
fn deliver(proxy: &Proxy, [a, b]: &[Process; 2], keys: impl Iterator<Item = String>) -> Duration {
    let since = b.begin();
    proxy.blackhole();
    let mut last = String::new();
    for key in keys {
        a.invalidate(&key);
        last = key;
    }
    let begun = Instant::now();
    proxy.set_both(Fault::Throttle(RATE));
    until("delivery", || (!b.holds(&last, since)).then_some(()));
    let took = begun.elapsed();
    until("echoes", || (a.0.status().outbox == 0).then_some(()));
    took
}

#[test]
fn many_keys_are_delivered_at_the_rate_of_the_link() {
    let (_server, proxy, processes) = linked();
    let took = deliver(&proxy, &processes, (0..60_000).map(|n| key(40, n)));
    println!("60,000 keys of 40 bytes after {took:?}");
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
}

#[test]
fn long_keys_hold_up_nothing() {
    let (server, proxy, processes) = linked();
    for n in [0, 4_999] {
        server.command::<()>(&["SET", &format!("p:e:{}", key(3_000, n)), "1"]);
    }
    let took = deliver(&proxy, &processes, (0..5_000).map(|n| key(3_000, n)));
    println!("5,000 keys of 3 kB after {took:?}");
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
    // What comes later does not wait for 30 MB of deletions.
    let begun = Instant::now();
    wait(processes[0].invalidate("later").echoed());
    println!("and a later one after {:?}", begun.elapsed());
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    until("deletions", || processes[0].rests().then_some(()));
    // The log, and at most one that was under way when the link was cut. What was taken out last may be on its way.
    until("the entries are gone", || (server.command::<u64>(&["DBSIZE"]) <= 2).then_some(()));
}

#[test]
fn one_key_invalidated_over_and_over_waits_once() {
    let (_server, proxy, processes) = linked();
    let took = deliver(&proxy, &processes, (0..300_000).map(|_| "user:7".to_owned()));
    println!("300,000 invalidations of one key after {took:?}");
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
    assert!(processes[1].0.status().applied < 100, "{}", processes[1].0.status().applied);
}

/// However long it was away: both ends have given up several times by then.
#[test]
fn delivery_follows_the_return_of_the_server_at_once() {
    let server = RedisServer::builder().append_only().start();
    let [a, b] = two(&server);
    for outage in [Duration::from_millis(200), Duration::from_secs(6)] {
        let since = b.begin();
        server.kill();
        let down = Instant::now();
        for n in 0..1_000 {
            a.invalidate(&key(20, n));
        }
        until("the end of the outage", || (down.elapsed() > outage).then_some(()));
        server.restart(Data::Kept);
        let begun = Instant::now();
        until("delivery", || (!b.holds(&key(20, 999), since)).then_some(()));
        until("echoes", || (a.0.status().outbox == 0).then_some(()));
        println!("after {outage:?}: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", begun.elapsed());
    }
}

/// Reading goes on while a backlog is sent on a slow link.
#[test]
fn reading_does_not_wait_for_sending() {
    let (_server, proxy, [a, b]) = linked();
    proxy.set(Direction::ToServer, Fault::Throttle(50_000));
    for n in 0..60_000 {
        a.invalidate(&key(40, n));
    }
    for n in 0..20 {
        let other = format!("other:{n}");
        let since = a.begin();
        let begun = Instant::now();
        b.invalidate(&other);
        until("delivery", || (!a.holds(&other, since)).then_some(()));
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
        assert!(!a.rests(), "the backlog was sent too early for this to mean anything");
    }
}

/// Counts anew as soon as a counter is deleted, cuts the link, and checks that what was counted stays.
fn check_counter(server: &RedisServer, proxy: &Proxy, a: &Process) {
    until("the deletion", || (!server.command::<bool>(&["EXISTS", "p:c:logins"])).then_some(()));
    server.command::<()>(&["SET", "p:c:logins", "100"]);
    proxy.cut();
    proxy.heal();
    until("echoes", || (a.0.status().outbox == 0).then_some(()));
    for n in 0..3 {
        wait(a.invalidate(&format!("unrelated:{n}")).echoed());
    }
    until("deletions", || a.rests().then_some(()));
    assert_eq!(server.command::<u64>(&["GET", "p:c:logins"]), 100);
}

/// The reply to an append is lost, and its record is read back.
#[test]
fn a_counter_is_deleted_once_when_the_append_is_repeated() {
    let (server, proxy, [a, _]) = linked();
    server.command::<()>(&["SET", "p:c:logins", "5"]);
    let before = records(&server).len();
    proxy.set(Direction::ToClient, Fault::Swallow);
    a.invalidate("logins");
    until("the record", || (records(&server).len() > before).then_some(()));
    proxy.heal();
    check_counter(&server, &proxy, &a);
}

/// The reply to the deletion itself is lost.
#[test]
fn a_counter_is_deleted_once_when_the_reply_is_lost() {
    let (server, proxy, [a, _]) = linked();
    server.command::<()>(&["SET", "p:c:logins", "5"]);
    // Long enough for the link to be cut in.
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(300)));
    a.invalidate("logins");
    check_counter(&server, &proxy, &a);
}

/// A link that broke while it was idle costs no deletion: nothing was sent on it.
#[test]
fn a_counter_is_deleted_after_an_outage() {
    let server = RedisServer::builder().append_only().start();
    let [a, _] = two(&server);
    server.command::<()>(&["SET", "p:c:logins", "5"]);
    server.kill();
    a.invalidate("logins");
    server.restart(Data::Kept);
    until("the deletion", || (!server.command::<bool>(&["EXISTS", "p:c:logins"])).then_some(()));
}
