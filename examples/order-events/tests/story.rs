//! The two services tell the story that their sources promise.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use larder_servers::RedisServer;

#[test]
fn an_order_that_is_paid_is_shown_as_such_and_has_a_receipt() {
    let server = RedisServer::start();
    let mut notifications = Command::new(env!("CARGO_BIN_EXE_notifications"))
        .env("REDIS_URL", server.url())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(notifications.stdout.take().expect("its output")).lines();
    let mut line = || lines.next().expect("it goes on").expect("it is text");
    assert_eq!(line(), "order 7 is open");
    assert_eq!(line(), "ready");
    let orders = Command::new(env!("CARGO_BIN_EXE_orders"))
        .args(["7", "ada"])
        .env("REDIS_URL", server.url())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&orders.stdout).into_owned();
    assert!(said.starts_with("order 7 is paid: event "), "{said}{}", String::from_utf8_lossy(&orders.stderr));
    assert_eq!(line(), "receipt for order 7 to ada: it is paid");
    notifications.kill().expect("it is ours");
    notifications.wait().expect("it ends");
}
