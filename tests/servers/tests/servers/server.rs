//! One server: start and stop, data kept and lost, access, TLS, accidents.

use std::fs;
use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use larder_servers::{Ability, Data, RedisServer, lacks, until};
use redis::{Client, ServerErrorKind};

use crate::{SILENCE, connect, send};

#[test]
fn answers_until_it_is_dropped() {
    let server = RedisServer::start();
    let (url, address) = (server.url(), server.address());
    assert_eq!(address.port(), server.port());
    assert_eq!(send::<String>(&mut connect(&url), "PING").unwrap(), "PONG");
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn panics_take_their_servers_with_them() {
    let mut address = None;
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let server = RedisServer::start();
        address = Some(server.address());
        panic!("on purpose");
    }));
    assert!(result.is_err());
    assert!(TcpStream::connect(address.unwrap()).is_err());
}

#[test]
fn nothing_is_left_on_disk() {
    let server = RedisServer::builder().append_only().start();
    let directory: Vec<String> = server.command(&["CONFIG", "GET", "dir"]);
    assert!(Path::new(&directory[1]).exists());
    drop(server);
    assert!(fs::metadata(&directory[1]).is_err());
}

#[test]
fn many_start_at_once_on_ports_of_their_own() {
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let server = RedisServer::start();
                server.command::<()>(&["SET", "number", &number.to_string()]);
                assert_eq!(server.command::<usize>(&["GET", "number"]), number);
                assert_eq!(server.command::<usize>(&["DBSIZE"]), 1);
            });
        }
    });
}

#[test]
fn restarts_with_the_data_kept_or_lost() {
    let server = RedisServer::builder().append_only().start();
    let port = server.port();
    let mut client = connect(&server.url());
    send::<()>(&mut client, "SET key value").unwrap();

    server.kill();
    assert!(!server.is_up());
    assert!(send::<String>(&mut client, "PING").unwrap_err().is_io_error());
    assert!(TcpStream::connect(server.address()).is_err());

    server.restart(Data::Kept);
    assert!(server.is_up());
    assert_eq!(server.port(), port);
    let mut client = connect(&server.url());
    assert_eq!(send::<String>(&mut client, "GET key").unwrap(), "value");

    server.restart(Data::Lost);
    assert!(send::<String>(&mut client, "PING").is_err(), "an old connection survived");
    assert_eq!(send::<Option<String>>(&mut connect(&server.url()), "GET key").unwrap(), None);
}

#[test]
fn without_persistence_a_restart_loses_everything() {
    let server = RedisServer::start();
    server.command::<()>(&["SET", "key", "value"]);
    server.restart(Data::Kept);
    assert_eq!(server.command::<Option<String>>(&["GET", "key"]), None);
}

#[test]
fn pause_silences_it_and_resume_lets_it_answer() {
    let server = RedisServer::start();
    let mut client = connect(&server.url());
    for round in 0..3 {
        server.pause();
        client.set_read_timeout(Some(SILENCE)).unwrap();
        assert!(send::<String>(&mut client, "PING").unwrap_err().is_timeout(), "round {round}");
        server.resume();
        client = connect(&server.url());
        assert_eq!(send::<String>(&mut client, "PING").unwrap(), "PONG");
    }
    server.pause();
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err());
    server.restart(Data::Lost);
    assert!(server.is_up());
}

#[test]
fn configuration_lines_hold() {
    let server = RedisServer::builder()
        .config("maxmemory", "10mb")
        .config("maxmemory-policy", "volatile-lfu")
        .config("save", "60 1")
        .start();
    let value = |name| server.command::<Vec<String>>(&["CONFIG", "GET", name])[1].clone();
    assert_eq!(value("maxmemory"), (10 << 20).to_string());
    assert_eq!(value("maxmemory-policy"), "volatile-lfu");
    assert!(value("save").ends_with("60 1"));
    server.set_config("maxmemory", "20mb");
    assert_eq!(value("maxmemory"), (20 << 20).to_string());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let result = panic::catch_unwind(|| RedisServer::builder().config("no-such-setting", "1").start());
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("no-such-setting"), "{message}");
}

#[test]
fn passwords_are_asked_for() {
    let server = RedisServer::builder().password("secret").start();
    assert_eq!(send::<String>(&mut connect(&server.url()), "PING").unwrap(), "PONG");
    let mut stranger = connect(&format!("redis://{}", server.address()));
    let refusal = send::<String>(&mut stranger, "PING").unwrap_err();
    assert_eq!(refusal.code(), Some("NOAUTH"));
    assert_eq!(server.command::<String>(&["PING"]), "PONG");
}

#[test]
fn users_may_do_what_their_rules_allow() {
    let server =
        RedisServer::builder().user("reader on >secret ~larder:* -@all +get").user("default off").start();
    server.command::<()>(&["SET", "larder:key", "value"]);
    let mut reader = connect(&server.url_as("reader", "secret"));
    assert_eq!(send::<String>(&mut reader, "GET larder:key").unwrap(), "value");
    for refused in ["GET other:key", "SET larder:key other"] {
        let refusal = send::<()>(&mut reader, refused).unwrap_err();
        assert_eq!(refusal.kind(), ServerErrorKind::NoPerm.into(), "{refused}");
    }
    for (user, password) in [("reader", "wrong"), ("default", "any")] {
        let client = Client::open(server.url_as(user, password)).unwrap();
        assert!(client.get_connection().is_err(), "{user} got in");
    }
}

#[test]
fn tls_with_the_made_certificate() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().tls().password("secret").start();
    let url = server.url();
    assert!(url.starts_with("rediss://"), "{url}");
    let mut client = server.client(&url).unwrap().get_connection().unwrap();
    assert_eq!(send::<String>(&mut client, "PING").unwrap(), "PONG");

    let stranger = Client::open(url.as_str()).unwrap();
    assert!(stranger.get_connection().is_err(), "an unknown authority was trusted");
    let other = RedisServer::builder().tls().start();
    assert!(other.client(&url).unwrap().get_connection().is_err(), "another authority was trusted");
    let plain = Client::open(url.replace("rediss", "redis")).unwrap();
    assert!(plain.get_connection().is_err(), "the server speaks without TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_asynchronous_client() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = tokio::task::spawn_blocking(|| RedisServer::builder().tls().start()).await.unwrap();
    let client = server.client(&server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let reply: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
    assert_eq!(reply, "PONG");
}

#[test]
fn accidents_with_data() {
    let server = RedisServer::start();
    server.command::<()>(&["SET", "key", "value"]);
    assert!(server.delete("key"));
    assert!(!server.delete("key"));
    for _ in 0..5 {
        server.command::<()>(&["XADD", "log", "*", "field", "value"]);
    }
    assert_eq!(server.trim_stream("log", 2), 3);
    assert_eq!(server.command::<usize>(&["XLEN", "log"]), 2);
    server.flush_all();
    assert_eq!(server.command::<usize>(&["DBSIZE"]), 0);
}

#[test]
fn clients_are_killed_all_or_by_name() {
    let server = RedisServer::start();
    let (mut named, mut other) = (connect(&server.url()), connect(&server.url()));
    send::<()>(&mut named, "CLIENT SETNAME log-reader").unwrap();
    assert_eq!(server.kill_clients_named("log-reader"), 1);
    assert!(send::<String>(&mut named, "PING").is_err());
    assert_eq!(send::<String>(&mut other, "PING").unwrap(), "PONG");
    // Connections that the tests' own commands came from may not have been reaped yet.
    assert!(server.kill_clients() >= 1);
    assert!(send::<String>(&mut other, "PING").is_err());
    until("the server goes on", || server.try_command::<String>(&["PING"]).ok());
}
