//! Looks for a read that broke a promise.
//!
//! A value is too old for a read if its computation began before the call of an invalidation that covers it,
//! and the reading process must have heard of that invalidation when the read began. What covers a value is its
//! key, its prefixes, its tag, and all of that for whatever it was made from; what it was made from must not be
//! too old either. A process must have heard of
//!
//! 1. its own invalidations, once the call had returned, whatever became of them;
//! 2. under `bypass(D)`, those of others that were delivered more than D before the read began;
//! 3. those that were delivered before the moment until when it said itself, before the read, that it was in
//!    touch;
//! 4. those whose epoch is at or below the position that it named before the read, or that `wait_for` told it
//!    of. Only where no fault makes a log anew or changes its master ([`Losses::epochs_rise`]): until a process
//!    has noticed that, its position is one of the old log, and an epoch of the new one may be lower.
//!
//! The checker reports only what is certain. Its moments are taken on the safe side: a computation's beginning
//! inside of it, a call's before it, a return's and a delivery's after them, a read's beginning before it. An
//! invalidation counts as delivered when its future said so, or when its process saw an empty outbox after the
//! call. A value that was inserted counts as begun when the insert had returned, and the change that an insert
//! makes does not cover what it puts in.
//!
//! # Failovers that may lose what was acknowledged
//!
//! They come as windows ([`Window`]): all that was acknowledged before one is on the new master, and after it
//! there is no other. What may have been acknowledged within counts as delivered, for reads that begin later
//! than the window, only once its sender saw an empty outbox after it was in touch after the window; its epoch
//! counts no more. (Within a window it counts for no process: the reader may be with either master.) What is the same
//! process' counts all the time.

mod era;
mod input;
mod known;
mod placed;
mod report;
mod run_index;
mod tree;

use self::era::Era;
pub use self::input::{Losses, Process, Window};
use self::known::Known;
use self::placed::Placed;
pub use self::report::{Promise, Report, TooOld, Violation};
use self::run_index::RunIndex;
use self::tree::Demand;
use super::config::Mode;
use super::log::{Read, Record};
use super::space::Space;

/// Checks a run.
#[must_use]
pub fn check(space: &Space, processes: &[Process], losses: &Losses) -> Report {
    let Losses { windows, epochs_rise } = losses;
    let mut report = Report::default();
    let run = RunIndex::collect(space, processes, &mut report);
    let own: Vec<_> = (0..processes.len()).map(|process| run.own(process)).collect();
    let eras: Vec<_> = (0..=windows.len()).map(|past| Era::new(&run, &windows[..past])).collect();
    for (number, process) in processes.iter().enumerate() {
        let judge = Judge {
            run: &run,
            own: &own[number],
            windows,
            epochs_rise: *epochs_rise,
            eras: &eras,
            number,
            mode: process.mode,
        };
        for record in process.log.records().flatten() {
            if let Record::Read(read) = record {
                judge.read(&read, &mut report);
            }
        }
    }
    report.finish();
    report
}

/// Judges the reads of one process.
struct Judge<'a> {
    run: &'a RunIndex<'a>,
    own: &'a [Known],
    windows: &'a [Window],
    epochs_rise: bool,
    eras: &'a [Era],
    number: usize,
    mode: Mode,
}

impl Judge<'_> {
    fn read(&self, read: &Read, report: &mut Report) {
        let Some((key, began)) = self.run.trees.origin(read.value) else {
            report.add(Violation::Unreadable { process: self.number });
            return;
        };
        report.read(self.number, read, began);
        if key != read.key {
            report.add(Violation::WrongKey { process: self.number, read: *read, key });
        }
        let era = &self.eras[self.windows.iter().take_while(|window| window.from <= read.begin).count()];
        let mut behind = None;
        for demand in self.run.trees.demands(self.run.space, read.value).iter() {
            if let Some((promise, change)) = self.broken(read, era, demand) {
                return report.add(self.describe(read, demand, promise, change));
            }
            let late = era.delivered[demand.scope].newest(read.begin, &self.run.changes, demand);
            behind = behind.max(late.and_then(|change| self.run.delivered(&self.run.changes[change])));
        }
        // Too old, and allowed: how long was it not heard of?
        if let Some(delivered) = behind {
            report.excused(read.begin - delivered.min(read.begin));
        }
    }

    /// A change that the process must have heard of, and that covers what is demanded to be newer.
    fn broken(&self, read: &Read, era: &Era, demand: &Demand) -> Option<(Promise, usize)> {
        let changes = &self.run.changes;
        let Demand { scope, .. } = *demand;
        if let Some(change) = self.own[scope].newest(read.begin, changes, demand) {
            return Some((Promise::SameProcess, change));
        }
        if let Mode::Bypass(limit) = self.mode {
            let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
            let before = read.begin.saturating_sub(limit);
            if let Some(change) = era.delivered[scope].newest(before, changes, demand) {
                return Some((Promise::Bypass, change));
            }
        }
        if let Some(in_touch) = read.in_touch_before
            && let Some(change) = era.delivered[scope].newest(in_touch.min(read.begin), changes, demand)
        {
            return Some((Promise::InTouch, change));
        }
        if !self.epochs_rise {
            return None;
        }
        let position = read.position.max(self.run.heard_before(self.number, read.begin));
        let change = era.epochs[scope].newest(position.saturating_add(1), changes, demand)?;
        Some((Promise::Position, change))
    }

    fn describe(&self, read: &Read, demand: &Demand, promise: Promise, change: usize) -> Violation {
        let Placed { process, change } = &self.run.changes[change];
        let node = self.run.trees.node(demand.value);
        // The last version that was written before the call for certain.
        let written = node.and_then(|node| {
            let writes = &self.run.writes[node.key];
            writes.iter().rev().find(|write| write.end < change.called).map(|write| write.version)
        });
        Violation::TooOld(Box::new(TooOld {
            promise,
            process: self.number,
            read: *read,
            part: node.cloned(),
            since: demand.since,
            scope: self.run.space.describe(demand.scope),
            by: *process,
            change: change.clone(),
            written,
        }))
    }
}

#[cfg(test)]
mod tests;
