//! What is done to servers, links and processes while they live.

mod disturb;
mod fault;
mod world;

use std::time::Duration;

pub use self::fault::Fault;
pub use self::world::World;
use super::checker::Report;
use super::config::{Backend, Mode, Pace};
use super::panics;
use super::run::{Live, Setup, run};
use std::path::Path;

/// Where the log of the prefix `larder` is.
pub const LOG: &str = "larder:log";

/// A run with a fault.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// The program of the worker.
    pub worker: &'a Path,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// What happens.
    pub fault: Fault,
    /// What each process' cache serves while it is disconnected.
    pub modes: Vec<Mode>,
    /// For how long.
    pub lasts: Duration,
    /// How much each process does.
    pub pace: Pace,
    /// Whether the logs are to be kept if a promise was broken: no test expects that.
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
            let (servers, replicas) = (world.servers_for(process), world.reads_replicas(process));
            (Backend::Tiered { servers, replicas }, *mode)
        };
        let mut environment = self.environment.clone();
        if matches!(self.fault, Fault::PanickingSubscriber | Fault::Everything) {
            environment.push((panics::VARIABLE.to_owned(), "1".to_owned()));
        }
        let setup = Setup {
            worker: self.worker,
            environment,
            processes: self.modes.iter().enumerate().map(place).collect(),
            on_disk: self.modes.len().checked_sub(1),
            pace: self.pace,
            lasts: self.lasts,
            epochs_rise: self.fault.keeps_the_log(),
            keeps_logs: self.keeps_logs,
        };
        run(&setup, |live: &Live<'_>| self.fault.disturb(&world, live))
    }
}
