//! A client of memcached, in its text protocol.
//!
//! A connection is in the hands of one request at a time, and goes back to its node when all of the reply was read. It is
//! closed whenever that is not so: after an error, after a reply that makes no sense, and when the request was dropped. So a
//! reply never meets another request.

mod connection;
mod node;

pub(crate) use self::{
    connection::{Connection, Item, Storing},
    node::{Borrowed, Node},
};

/// Why a node could not be asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is left alone, or a connection cannot be had, or broke.
    Unreachable(String),
    /// It did not answer in time.
    TimedOut,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(reason) => f.write_str(reason),
            Self::TimedOut => f.write_str("it does not answer in time"),
        }
    }
}
