use larder_servers::Proxy;

use super::*;

#[test]
fn why_it_cannot_start_is_told_and_it_starts_later() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    proxy.refuse();
    let log = RedisLog::start(PREFIX, Arc::new(SingleServer::new(&proxy.url()).unwrap()), settings());
    assert!(wait(log.started()).is_err());
    assert_eq!(log.contact().out_of_touch(), Duration::MAX);
    assert_eq!(log.contact().server_now_ms(), None);
    proxy.heal();
    until("a start", || wait(log.started()).is_ok().then_some(()));
    assert!(log.contact().within(Duration::from_secs(10)));
    assert!(log.status().out_of_touch < Duration::from_secs(10));
}

/// A value that is stored by the first call after a connection was made is shared.
#[test]
fn it_is_in_touch_as_soon_as_it_has_started() {
    let server = RedisServer::start();
    for _ in 0..300 {
        let log = RedisLog::start(PREFIX, Arc::new(SingleServer::new(&server.url()).unwrap()), settings());
        wait(log.started()).unwrap();
        assert!(log.is_heard());
    }
}

#[test]
fn what_was_invalidated_before_the_first_start_is_sent_after_it() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let a = Process::start(&server.url());
    let since = a.begin();
    proxy.refuse();
    let log = RedisLog::start(PREFIX, Arc::new(SingleServer::new(&proxy.url()).unwrap()), settings());
    log.epochs().apply(&[Scope::key("k").hash()], []);
    assert!(wait(log.started()).is_err());
    proxy.heal();
    until("delivery", || (!a.holds("k", since)).then_some(()));
}

/// An idle log is in touch as often as is asked for.
#[test]
fn a_read_is_as_short_as_the_freshness_needs() {
    let server = RedisServer::start();
    let freshness = Duration::from_millis(150);
    let settings = RedisLogSettings { freshness: Some(freshness), ..settings() };
    let a = Process::start_with(&server.url(), PREFIX, settings);
    let mut in_touch = 0;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(10));
        in_touch += u32::from(a.0.contact().within(freshness));
    }
    assert!(in_touch >= 40, "{in_touch} of 50");
}

#[test]
fn the_time_is_that_of_the_server() {
    let server = RedisServer::start();
    let a = Process::start(&server.url());
    let ours = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let told = a.0.contact().server_now_ms().unwrap();
    assert!(told.abs_diff(ours.as_millis() as u64) < 5_000);
}
