//! The connections, with real servers.

mod cluster;
mod outages;
mod sentinel;
mod single;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::Value;
use larder_servers::DEADLINE;

use super::*;
use crate::redis::config::RedisCacheBuilder;

/// What calls may take more than timers that were set with them: see [`overdue`].
const SLACK: Duration = Duration::from_millis(200);

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

/// What comes of a call, and by how much it was later than a timer of this length. A busy machine is late with both.
async fn overdue<T>(limit: Duration, call: impl Future<Output = T>) -> (T, Duration) {
    let mut call = pin!(call);
    tokio::select! {
        biased;
        outcome = &mut call => return (outcome, Duration::ZERO),
        () = tokio::time::sleep(limit) => {}
    }
    let since = Instant::now();
    (call.await, since.elapsed())
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
        let (reply, late) = overdue(deadline, connections.call(command)).await;
        assert!(late < SLACK, "{late:?}");
        if let Err(CommandFailure::Unavailable(Unavailable::Open(_))) = reply {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
