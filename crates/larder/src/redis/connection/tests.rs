//! The connections, with real servers.

mod cluster;
mod outages;
mod sentinel;
mod single;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::Value;
use larder_servers::DEADLINE;

use super::*;
use crate::redis::config::RedisCacheBuilder;

/// More than a caller's deadline that a busy machine may take to notice it.
const SLACK: Duration = Duration::from_millis(150);

fn config(builder: RedisCacheBuilder) -> Arc<Config> {
    Arc::new(builder.config().unwrap())
}

fn builder(url: impl Into<String>) -> RedisCacheBuilder {
    RedisCacheBuilder::default().url(url)
}

fn to(url: impl Into<String>) -> Connections {
    Connections::new(config(builder(url)), None)
}

fn set(key: &str, value: &str) -> Command {
    Command::new("SET").key(key).arg(value)
}

fn get(key: &str) -> Command {
    Command::new("GET").key(key)
}

/// What is asked about a log.
fn question() -> ::redis::Cmd {
    words(&["XADD", "log", "NOMKSTREAM", "0-0", "r", ""])
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

#[track_caller]
fn unavailable(reply: Reply) -> Unavailable {
    match reply {
        Err(CommandFailure::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(reply: Reply) -> String {
    match reply {
        Err(CommandFailure::Refused(error)) => error.code().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Sends a command until it succeeds, and tells how long that took.
async fn recovered(connections: &Connections, command: &Command) -> Duration {
    let began = Instant::now();
    loop {
        match connections.call(command).await {
            Ok(_) => return began.elapsed(),
            Err(error) if began.elapsed() > DEADLINE => panic!("{error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

/// Sends a command until the breaker refuses it. No call takes longer than its deadline.
async fn opened(connections: &Connections, command: &Command, deadline: Duration) {
    let began = Instant::now();
    loop {
        let call = Instant::now();
        let reply = connections.call(command).await;
        assert!(call.elapsed() < deadline + SLACK, "{:?}", call.elapsed());
        if let Err(CommandFailure::Unavailable(Unavailable::Open(_))) = reply {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
