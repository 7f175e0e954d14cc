use super::*;
use crate::shared_log::OnWake;

#[test]
fn an_invalidation_reaches_the_other_process_and_nothing_else_goes() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let since = b.begin();
    b.hears(&a, "k");
    assert!(b.holds("other", since));
    a.hears(&b, "k");
    assert_eq!((b.0.status().gaps, b.0.status().losses, b.0.status().malformed), (0, 0, 0));
}

#[test]
fn an_own_echo_is_no_change() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    let before = a.position();
    let told = a.invalidate("k");
    let since = a.begin();
    assert!(!a.accepts("k", before), "it is in the outbox, or read back by now");
    wait(told.echoed());
    let epoch = wait(told.named());
    until("the position", || (a.position() == epoch).then_some(()));
    assert_eq!(a.0.status().outbox, 0);
    assert!(a.holds("k", since));
    assert!(a.accepts("k", epoch));
    assert!(wait(a.0.wait_for(epoch, Instant::now())));
}

#[test]
fn an_entry_of_the_server_is_judged_by_what_was_read() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let before = b.position();
    assert!(b.accepts("k", before));
    b.hears(&a, "k");
    assert!(!b.accepts("k", before));
    assert!(b.accepts("other", before));
    until("the position", || b.accepts("k", b.position()).then_some(()));
}

#[test]
fn entries_and_counters_are_deleted_when_the_call_returns() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    for key in ["p:e:k", "p:c:k", "p:e:other"] {
        server.command::<()>(&["SET", key, "1"]);
    }
    wait(a.invalidate("k").named());
    assert_eq!(server.command::<u64>(&["EXISTS", "p:e:k", "p:c:k", "p:e:other"]), 1);
}

#[test]
fn entries_may_be_deleted_elsewhere() {
    let server = RedisServer::start();
    let (sender, keys) = std::sync::mpsc::channel();
    let unlink = move |keys: Vec<String>| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        sender.send(keys).unwrap();
        Box::pin(std::future::ready(()))
    };
    let settings = RedisLogSettings { unlink: Some(Arc::new(unlink)), ..settings() };
    let a = Process::start_with(&server.url(), PREFIX, settings);
    server.command::<()>(&["SET", "p:e:k", "1"]);
    wait(a.invalidate("k").echoed());
    assert_eq!(keys.recv().unwrap(), ["p:e:k", "p:c:k"]);
    assert_eq!(server.command::<u64>(&["EXISTS", "p:e:k"]), 1);
}

#[test]
fn one_waits_for_an_epoch_until_its_deadline() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let epoch = wait(a.invalidate("k").named());
    assert!(wait(b.0.wait_for(epoch, Instant::now() + Duration::from_secs(20))));
    let later = Epoch::from_id(epoch.milliseconds() + 60_000, 0).expect("it fits");
    assert!(!wait(b.0.wait_for(later, Instant::now() + Duration::from_millis(20))));
}

#[test]
fn a_wake_is_told_to_all_and_invalidates_nothing() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let (sender, told) = std::sync::mpsc::channel();
    let listener: Arc<OnWake> = Arc::new(move |key, filled| sender.send((key, filled)).unwrap());
    b.0.on_wake(Arc::downgrade(&listener));
    let since = b.begin();
    let key = Scope::key("k").hash();
    for filled in [true, false] {
        a.0.wake(key, filled);
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok((key, filled)));
    }
    assert!(b.holds("k", since));

    drop(listener);
    a.0.wake(key, true);
    b.hears(&a, "k");
    assert!(told.try_recv().is_err());
}

/// A process that starts can use what the log vouches for.
#[test]
fn a_new_process_reads_back() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    let before = a.position();
    wait(a.invalidate("changed").echoed());
    for n in 0..2_500 {
        let told = a.invalidate(&n.to_string());
        if n % 10 == 0 {
            wait(told.echoed());
        }
    }
    until("echoes", || (a.0.status().outbox == 0).then_some(()));

    let b = Process::start(&server.url());
    until("what was read back", || b.accepts("other", before).then_some(()));
    assert!(!b.accepts("changed", before) && !b.accepts("2499", before));
    assert!(!b.accepts("other", Epoch::ZERO), "from before the log");
    b.hears(&a, "k");
}

#[test]
fn the_last_words_of_a_log_are_heard() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let since = b.begin();
    a.invalidate("k");
    drop(a);
    until("delivery", || (!b.holds("k", since)).then_some(()));
}
