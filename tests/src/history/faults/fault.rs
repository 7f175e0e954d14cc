//! What can be done.

/// What happens, again and again at random moments, until the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing.
    Nothing,
    /// The server is killed, and comes back with everything that it acknowledged.
    RestartKept,
    /// The server is killed, and comes back with nothing.
    RestartLost,
    /// Everything on the server is deleted.
    Flush,
    /// The log is deleted.
    DeleteLog,
    /// The log is trimmed to ten records, or to none.
    TrimLog,
    /// All connections are closed by the server.
    KillClients,
    /// The server is stopped for longer than any caller waits.
    StopServer,
    /// One process is stopped for longer than any caller waits.
    StopWorker,
    /// One process is killed, and started again; the log is trimmed meanwhile, every other time.
    KillWorker,
    /// The link of one process is slow, one way or both.
    Delay,
    /// All connections of one process are reset.
    Cut,
    /// All connections of one process end one way, and then the other.
    HalfClose,
    /// Nothing that one process sends or is sent arrives, and neither side is told.
    BlackHole,
    /// The link of one process is slow by its bytes.
    Throttle,
    /// The server is gone for a long time: five minutes, if there is time for that.
    LongOutage,
    /// All connections are closed by the server, and a subscriber of traces panics.
    PanickingSubscriber,
    /// All that can happen to one server and its links, one after the other, and a subscriber that panics.
    Everything,
    /// In a cluster, a replica takes over in good order.
    ClusterFailover,
    /// In a cluster, the master of the log is killed before its replica has everything.
    ClusterMasterKilled,
    /// In a cluster, the log moves to another master.
    MoveLog,
    /// Sentinel makes the replica the master.
    SentinelFailover,
    /// The master that the sentinels watch is killed before its replica has everything.
    SentinelMasterKilled,
    /// The replica that entries are read from is left behind, and catches up.
    LaggingReplica,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 24] = [
        Self::Nothing,
        Self::RestartKept,
        Self::RestartLost,
        Self::Flush,
        Self::DeleteLog,
        Self::TrimLog,
        Self::KillClients,
        Self::StopServer,
        Self::StopWorker,
        Self::KillWorker,
        Self::Delay,
        Self::Cut,
        Self::HalfClose,
        Self::BlackHole,
        Self::Throttle,
        Self::LongOutage,
        Self::PanickingSubscriber,
        Self::Everything,
        Self::ClusterFailover,
        Self::ClusterMasterKilled,
        Self::MoveLog,
        Self::SentinelFailover,
        Self::SentinelMasterKilled,
        Self::LaggingReplica,
    ];

    /// Whether the log is out of reach most of the time, for some process at least.
    #[must_use]
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::StopServer
                | Self::BlackHole
                | Self::Throttle
                | Self::LongOutage
                | Self::PanickingSubscriber
                | Self::Everything
                | Self::ClusterFailover
                | Self::ClusterMasterKilled
                | Self::SentinelMasterKilled
        )
    }

    /// Whether the log stays what it was, with all that was acknowledged.
    #[must_use]
    pub const fn keeps_the_log(self) -> bool {
        !matches!(
            self,
            Self::RestartLost
                | Self::Flush
                | Self::DeleteLog
                | Self::Everything
                | Self::ClusterMasterKilled
                | Self::SentinelFailover
                | Self::SentinelMasterKilled
        )
    }
}
