//! The source of truth: a version for each key, the same for all processes.
//!
//! It is a service of the process that runs the test, on a Unix socket. A version is read and raised in one
//! atomic step between the request and its reply, so that there is a moment for each, and an order of all. (A
//! shared file would not do: nothing promises that a read of eight bytes is atomic against a write of them.)
//!
//! The same socket tells the workers what is to be done now, and tells the test how far they are.

mod client;
mod server;

pub use self::client::Source;
pub use self::server::SourceServer;

/// What the workers are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Read and change.
    Live,
    /// Finish, and change nothing more.
    Quiet,
    /// See whether everything is current.
    Settle,
    /// Write the log, and end.
    End,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Live, Self::Quiet, Self::Settle, Self::End];

    fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| *phase as u64 == number)
    }
}

/// What a request asks for. A request is this, in one byte, and a number; a reply is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// The version of a key.
    Read,
    /// Raises the version of a key by one, and gives the new one.
    Raise,
    /// An epoch that others may wait for; gives the highest one so far.
    Tell,
    /// The phase.
    Phase,
    /// This process has done what the phase asked for.
    Done,
}

const ASKS: [Ask; 5] = [Ask::Read, Ask::Raise, Ask::Tell, Ask::Phase, Ask::Done];

const REQUEST: usize = 9;
const REPLY: usize = 8;

#[cfg(test)]
mod tests;
