//! The servers and the proxy that other tests build on do what they say, seen by a real client.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod cluster;
mod lifetime;
mod proxy;
mod sentinel;
mod server;

use std::time::Duration;

use larder_servers::DEADLINE;
use redis::{Client, Cmd, Connection, FromRedisValue, RedisResult};

/// Long enough to tell that nothing comes, and short enough to wait for it.
const SILENCE: Duration = Duration::from_millis(300);

fn connect(url: &str) -> Connection {
    let client = Client::open(url).unwrap();
    let connection = client.get_connection_with_timeout(DEADLINE).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

fn send<T: FromRedisValue>(connection: &mut Connection, words: &str) -> RedisResult<T> {
    let mut command = Cmd::new();
    for word in words.split(' ') {
        command.arg(word);
    }
    command.query(connection)
}
