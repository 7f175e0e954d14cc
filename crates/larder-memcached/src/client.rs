//! A client of memcached, in its text protocol.
//!
//! A connection is in the hands of one request at a time, and goes back to its node when all of the reply was read. It is
//! closed whenever that is not so: after an error, after a reply that makes no sense, and when the request was dropped. So a
//! reply never meets another request.

mod connection;
mod node;

use std::io;

pub(crate) use self::{
    connection::{Connection, Item, Storing},
    node::{Borrowed, Node},
};

/// Why a node could not be asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is not asked, after failures in a row.
    LeftAlone,
    /// A connection cannot be had, or broke.
    Unreachable(io::Error),
    /// It did not answer in time.
    TimedOut,
}

impl Failure {
    /// For a reason that no system has given.
    pub(crate) fn unreachable(reason: &'static str) -> Self {
        Self::Unreachable(io::Error::other(reason))
    }

    /// The cause of an error that a caller is given.
    pub(crate) fn into_cause(self) -> io::Error {
        match self {
            Self::Unreachable(error) => error,
            Self::LeftAlone => io::Error::other(self.to_string()),
            Self::TimedOut => io::Error::new(io::ErrorKind::TimedOut, self.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Unreachable(error),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LeftAlone => f.write_str("it is left alone after failures"),
            Self::Unreachable(error) => error.fmt(f),
            Self::TimedOut => f.write_str("it does not answer in time"),
        }
    }
}
