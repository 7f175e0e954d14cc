//! How a process stands with the servers that it shares entries through, for those who watch it.

use std::time::Duration;

use crate::epoch::Epoch;

/// How this process stands with Redis, as seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// For how long, at the most, changes made by other processes may not have been heard of: the age of the last
    /// reading of the invalidation log that reached its end, counted from when the reading was asked for. Little more
    /// than two seconds at most while all is well, since an idle log is asked once a second for what comes in the
    /// second that follows; [`Duration::MAX`] before the first reading.
    pub out_of_touch: Duration,
    /// The epoch through which every invalidation was applied.
    pub position: Epoch,
    /// How many scopes were invalidated here and are not yet read back from the log.
    pub waiting: u64,
    /// How many records of the log were applied since this process began.
    pub records: u64,
    /// How often everything in memory was dropped because something could not be proved: records of the log were
    /// trimmed before they were read, the log was lost or had an ID that no server gives, or the server was replaced.
    pub restarts: u64,
    /// How often this process made the log: where there was none yet, where it was lost, and where it had an ID that no
    /// server gives.
    pub resets: u64,
    /// Records of the log that this release cannot read, and IDs of it that no server gives. Each of them counts as
    /// covering everything.
    pub malformed: u64,
    /// The servers that commands go to.
    pub servers: Vec<Server>,
}

/// How this process stands with one server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Its address, and with Sentinel the master's name.
    pub name: String,
    /// Whether commands are sent to it: false while its circuit breaker is open.
    pub available: bool,
    /// Whether all connections to it are there.
    pub connected: bool,
}

impl Link {
    /// Whether commands are sent to any server.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.servers.iter().any(|server| server.available)
    }
}
