//! What goes wrong around the processes.

use super::config::Config;
use super::state::State;

/// One fault, or the end of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Trim,
    Lose { rising: bool },
    ReplicaLags,
    Failover { rising: bool },
    PutBack,
    Drop(u8),
    Reconnect(u8),
    Restart(u8),
    Silence(u8),
    Minute,
}

impl Fault {
    pub(crate) fn each(config: &Config, state: &State, mut each: impl FnMut(Self)) {
        let (faults, spent) = (&config.faults, &state.spent);
        let directions = [(true, faults.rising), (false, faults.falling)];
        if spent.trims < faults.trims {
            each(Self::Trim);
        }
        let copies = spent.failovers < faults.failovers || spent.put_backs < faults.put_backs;
        if copies && state.replica.is_none() {
            each(Self::ReplicaLags);
        }
        if spent.put_backs < faults.put_backs && state.replica.is_some() {
            each(Self::PutBack);
        }
        for (rising, _) in directions.into_iter().filter(|(_, on)| *on) {
            if spent.losses < faults.losses && state.server.log_exists {
                each(Self::Lose { rising });
            }
            if spent.failovers < faults.failovers {
                each(Self::Failover { rising });
            }
        }
        if spent.minutes < faults.minutes {
            each(Self::Minute);
        }
        for p in 0..2u8 {
            let process = &state.processes[usize::from(p)];
            if process.linked && spent.drops < faults.drops {
                each(Self::Drop(p));
            }
            if !process.linked {
                each(Self::Reconnect(p));
            }
            if spent.restarts < faults.restarts {
                each(Self::Restart(p));
            }
            if spent.silences < faults.silences {
                each(Self::Silence(p));
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = |rising: bool| if rising { "rise" } else { "fall" };
        match *self {
            Self::Trim => f.write_str("the oldest record is trimmed"),
            Self::Lose { rising } => write!(f, "the log is lost, IDs {}", direction(rising)),
            Self::ReplicaLags => f.write_str("a copy is made: the replica receives no more"),
            Self::PutBack => f.write_str("the copy of the log is put back"),
            Self::Failover { rising } => write!(f, "failover, IDs {}", direction(rising)),
            Self::Drop(p) => write!(f, "P{p} loses its connections"),
            Self::Reconnect(p) => write!(f, "P{p} connects again"),
            Self::Restart(p) => write!(f, "P{p} restarts"),
            Self::Silence(p) => write!(f, "P{p} was in contact longer ago than the limit"),
            Self::Minute => f.write_str("a minute passes"),
        }
    }
}
