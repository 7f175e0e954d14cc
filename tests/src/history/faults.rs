//! What is done to servers, links and processes while they live.

mod disturb;
mod world;

use std::time::Duration;

pub use self::world::World;
use super::checker::Report;
use super::config::{Backend, Mode, Pace};
use super::panics;
use super::run::{Live, Setup, run};
use std::path::Path;

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
    /// The server is stopped for longer than anybody waits.
    StopServer,
    /// One process is stopped for longer than anybody waits.
    StopWorker,
    /// One process is killed, and started again; the log is trimmed meanwhile, every other time.
    KillWorker,
    /// The link of one process is slow, one way or both.
    Delay,
    /// All connections of one process are reset.
    Cut,
    /// All connections of one process end one way, and then the other.
    HalfClose,
    /// Nothing that one process sends or is sent arrives, and nobody is told.
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
}

/// Where the log of the prefix `larder` is.
pub const LOG: &str = "larder:log";

impl Fault {
    /// All there are.
    pub const ALL: [Self; 23] = [
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

/// A run with a fault.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// The program of the worker.
    pub worker: &'a Path,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// What happens.
    pub fault: Fault,
    /// What each process' cache does when it is out of touch.
    pub modes: Vec<Mode>,
    /// For how long.
    pub lasts: Duration,
    /// How much each process does.
    pub pace: Pace,
    /// Whether the logs are to be kept if a promise was broken: nobody has expected it.
    pub keeps_logs: bool,
}

impl Scenario<'_> {
    /// Starts the servers that the fault is for, runs, and checks.
    ///
    /// # Panics
    ///
    /// If something does not come about that has nothing to do with freshness.
    #[must_use]
    pub fn check(&self) -> Report {
        let world = World::start(self.fault);
        let place = |(process, mode): (usize, &Mode)| {
            (Backend::Tiered { servers: world.servers_for(process) }, *mode)
        };
        let mut environment = self.environment.clone();
        if matches!(self.fault, Fault::PanickingSubscriber | Fault::Everything) {
            environment.push((panics::VARIABLE.to_owned(), "1".to_owned()));
        }
        let setup = Setup {
            worker: self.worker,
            environment,
            processes: self.modes.iter().enumerate().map(place).collect(),
            pace: self.pace,
            lasts: self.lasts,
            epochs_rise: self.fault.keeps_the_log(),
            keeps_logs: self.keeps_logs,
        };
        run(&setup, |live: &Live<'_>| self.fault.disturb(&world, live))
    }
}
