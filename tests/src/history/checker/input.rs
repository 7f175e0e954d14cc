//! What a checker is given of a run beside its space.

use crate::history::clock::Moment;
use crate::history::config::Mode;
use crate::history::log::Log;

/// One process of a run.
#[derive(Debug, Clone)]
pub struct Process {
    /// What its cache serves while it is disconnected.
    pub mode: Mode,
    /// What it did; nothing if it was killed.
    pub log: Log,
}

/// From before a failover that may lose what was acknowledged, to when it was over for all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What was acknowledged before is kept.
    pub from: Moment,
    /// Who is in touch later is in touch with the new master.
    pub until: Moment,
}

/// What the faults of a run may have lost.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// In order, and apart.
    pub windows: Vec<Window>,
    /// Whether there was one log all the time.
    pub epochs_rise: bool,
}
