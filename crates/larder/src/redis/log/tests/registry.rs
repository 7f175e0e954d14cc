use super::*;

fn open(server: &RedisServer, prefix: &str) -> Arc<RedisLog> {
    let url = server.url();
    let connector = || -> Arc<dyn Connect> { Arc::new(SingleServer::new(&url).expect("a URL")) };
    let log = RedisLog::open(url.clone(), prefix, connector, settings());
    wait(log.started()).expect("the server is there");
    log
}

#[test]
fn a_process_has_one_log_for_each_server_and_prefix() {
    let server = RedisServer::start();
    let [log, same, other] = ["p", "p", "q"].map(|prefix| open(&server, prefix));
    assert!(Arc::ptr_eq(&log, &same));
    assert!(Arc::ptr_eq(log.epochs(), same.epochs()));
    assert!(!Arc::ptr_eq(&log, &other));
    let clients: String = server.command(&["CLIENT", "LIST"]);
    assert_eq!(clients.matches("name=-log ").count(), 2);

    let elsewhere = RedisServer::start();
    assert!(!Arc::ptr_eq(&log, &open(&elsewhere, "p")));
}

#[test]
fn a_log_without_a_handle_ends() {
    let server = RedisServer::start();
    let log = open(&server, "p");
    drop(log);
    until("the end of its connections", || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        (!clients.contains("name=-")).then_some(())
    });
    assert_eq!(open(&server, "p").status().first_starts, 1);
}

#[test]
fn prefixes_do_not_see_each_other() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let other = Process::start_with(&server.url(), "q", settings());
    let since = other.begin();
    b.hears(&a, "k");
    other.hears(&Process::start_with(&server.url(), "q", settings()), "x");
    assert!(other.holds("k", since));
}
