//! Machines that were cloned while they ran: two processes with one memory.

use super::*;
use crate::shared_log::contract::LogStore;

/// A process, and another one with the same random numbers.
fn clones(server: &RedisServer) -> [Process; 2] {
    let stores = [(); 2].map(|()| {
        let connector = SingleServer::new(&server.url()).expect("a URL");
        let (store, settings) = RedisLogStore::new(PREFIX, Arc::new(connector), settings());
        (Arc::new(store) as Arc<dyn LogStore>, settings)
    });
    let of = |log| Process(Arc::new(RedisLog { log: Arc::new(log), findings: Arc::default() })).started();
    shared_log::Log::start_clones(stores).map(of)
}

#[test]
fn a_clone_hears_what_the_original_appends() {
    let server = RedisServer::start();
    let [a, b] = clones(&server);
    for round in 0..3 {
        // The same attempts, at the same time.
        let keys = [format!("a:{round}"), format!("b:{round}")];
        let before = [a.begin(), b.begin()];
        let told = [a.invalidate(&keys[0]), b.invalidate(&keys[1])];
        until("delivery", || (!a.holds(&keys[1], before[0]) && !b.holds(&keys[0], before[1])).then_some(()));
        told.iter().for_each(|told| wait(told.echoed()));
    }
}

/// The connection on which the log was read is that of the other one now.
#[test]
fn what_was_appended_on_an_earlier_connection_is_not_recognised() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    wait(a.invalidate("k").echoed());
    let earlier = records(&server).pop().and_then(|entry| entry.content);
    let Some(record::Content::Invalidation { sender, attempt, .. }) = earlier else { panic!("a record") };
    let identity = a.0.shared().identity();
    assert_eq!(sender, identity);
    server.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    until("another identity", || (a.0.shared().identity() != identity).then_some(()));

    let since = a.begin();
    let scopes = vec![Scope::key("other").hash()];
    let record = record::Content::Invalidation { sender, attempt: attempt + 1, scopes }.encode();
    let mut connection = server.client(&server.url()).and_then(|client| client.get_connection()).unwrap();
    let mut append = ::redis::cmd("XADD");
    append.arg(KEY).arg("*").arg("r").arg(record);
    append.exec(&mut connection).unwrap();
    until("a change", || (!a.holds("other", since)).then_some(()));
}
