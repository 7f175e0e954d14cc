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
//! counts no more. (Within a window it counts for nobody: the reader may be with either master.) What is the same
//! process' counts all the time.

mod era;
mod known;
mod report;
mod tree;

use self::era::Era;
use self::known::Known;
pub use self::report::{Promise, Report, TooOld, Violation};
use self::tree::{Demand, Trees};
use super::clock::Moment;
use super::config::Mode;
use super::log::{Change, Drained, Heard, Log, Read, Record, Write};
use super::space::Space;
use super::value::ValueId;

/// One process of a run.
#[derive(Debug, Clone)]
pub struct Process {
    /// What its cache does when it is out of touch.
    pub mode: Mode,
    /// What it did; nothing if it was killed.
    pub log: Log,
}

/// From before a failover that may lose what was acknowledged, to when it was over for everybody.
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

/// Everything of a run but its reads, which are many.
struct Facts<'a> {
    space: &'a Space,
    changes: Vec<Placed>,
    trees: Trees,
    writes: Vec<Vec<Write>>,
    drained: Vec<Vec<Drained>>,
    /// For each process: the highest epoch that it was told of, by when.
    heard: Vec<Vec<Heard>>,
}

/// A change, and who made it.
struct Placed {
    process: usize,
    change: Change,
}

/// Checks a run.
#[must_use]
pub fn check(space: &Space, processes: &[Process], losses: &Losses) -> Report {
    let Losses { windows, epochs_rise } = losses;
    let mut report = Report::default();
    let facts = Facts::collect(space, processes, &mut report);
    let own: Vec<_> = (0..processes.len()).map(|process| facts.own(process)).collect();
    let eras: Vec<_> = (0..=windows.len()).map(|past| Era::new(&facts, &windows[..past])).collect();
    for (number, process) in processes.iter().enumerate() {
        let judge = Judge {
            facts: &facts,
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

impl<'a> Facts<'a> {
    fn collect(space: &'a Space, processes: &[Process], report: &mut Report) -> Self {
        let none = || vec![Vec::new(); processes.len()];
        let mut facts = Self {
            space,
            changes: Vec::new(),
            trees: Trees::default(),
            writes: vec![Vec::new(); space.keys.len()],
            drained: none(),
            heard: vec![Vec::new(); processes.len()],
        };
        for (number, process) in processes.iter().enumerate() {
            for record in process.log.records() {
                match record {
                    Some(Record::Value(node)) => {
                        if let Some(other) = facts.trees.add(node) {
                            report.add(Violation::Changed { process: number, value: other });
                        }
                    }
                    Some(Record::Change(change)) => facts.changes.push(Placed { process: number, change }),
                    Some(Record::Write(write)) => facts.writes[write.key].push(write),
                    Some(Record::Drained(drained)) => facts.drained[number].push(drained),
                    Some(Record::Heard(heard)) => facts.heard[number].push(heard),
                    Some(Record::Settled(settled)) => report.settled(number, &settled, space),
                    Some(Record::Tally(tally)) => report.tally(number, &tally),
                    Some(Record::Read(_)) => {}
                    None => report.add(Violation::Unreadable { process: number }),
                }
            }
        }
        report.changes = facts.changes.len();
        report.delivered = facts.changes.iter().filter(|placed| facts.delivered(placed).is_some()).count();
        for Placed { change, .. } in &facts.changes {
            if let Some(value) = change.makes {
                facts.trees.inserted(value, change.returned);
            }
        }
        for drained in &mut facts.drained {
            drained.sort_unstable_by_key(|drained| drained.begin);
        }
        for heard in &mut facts.heard {
            heard.sort_unstable_by_key(|heard| heard.at);
            let mut highest = 0;
            for heard in heard {
                highest = highest.max(heard.epoch);
                heard.epoch = highest;
            }
        }
        facts.writes.iter_mut().for_each(|writes| writes.sort_unstable_by_key(|write| write.version));
        facts
    }

    /// The changes of one process, by scope and by when their calls had returned.
    fn own(&self, process: usize) -> Vec<Known> {
        let mut known = vec![Known::default(); self.space.scopes.len()];
        for (number, placed) in self.changes.iter().enumerate() {
            if placed.process == process {
                for &scope in &placed.change.scopes {
                    known[scope].add(placed.change.returned, placed.change.called, number);
                }
            }
        }
        known.iter_mut().for_each(Known::settle);
        known
    }

    /// When a change was in the log at the latest, if that is known.
    fn delivered(&self, placed: &Placed) -> Option<Moment> {
        let Change { returned, resolved, outcome, .. } = &placed.change;
        let said = resolved.filter(|_| matches!(outcome, super::log::Outcome::Delivered(_)));
        let seen = self.drained_after(placed.process, *returned, 0);
        said.into_iter().chain(seen).min()
    }

    /// When a process had nothing to tell, asked after one moment, and in touch after another.
    fn drained_after(&self, process: usize, asked: Moment, in_touch: Moment) -> Option<Moment> {
        let drained = &self.drained[process];
        let first = drained.partition_point(|drained| drained.begin <= asked);
        drained[first..].iter().find(|drained| drained.in_touch >= in_touch).map(|drained| drained.end)
    }

    /// The highest epoch that a process was told, before a moment, that it had heard of.
    fn heard_before(&self, process: usize, moment: Moment) -> u64 {
        let heard = &self.heard[process];
        match heard.partition_point(|heard| heard.at < moment) {
            0 => 0,
            count => heard[count - 1].epoch,
        }
    }
}

/// Judges the reads of one process.
struct Judge<'a> {
    facts: &'a Facts<'a>,
    own: &'a [Known],
    windows: &'a [Window],
    epochs_rise: bool,
    eras: &'a [Era],
    number: usize,
    mode: Mode,
}

impl Judge<'_> {
    fn read(&self, read: &Read, report: &mut Report) {
        let Some((key, began)) = self.facts.trees.origin(read.value) else {
            report.add(Violation::Unreadable { process: self.number });
            return;
        };
        report.read(self.number, read, began);
        if key != read.key {
            report.add(Violation::WrongKey { process: self.number, read: *read, key });
        }
        let era = &self.eras[self.windows.iter().take_while(|window| window.from <= read.begin).count()];
        let mut behind = None;
        for demand in self.facts.trees.demands(self.facts.space, read.value).iter() {
            if let Some((promise, change)) = self.broken(read, era, demand) {
                return report.add(self.describe(read, demand, promise, change));
            }
            let late = era.delivered[demand.scope].newest(read.begin, &self.facts.changes, demand);
            behind = behind.max(late.and_then(|change| self.facts.delivered(&self.facts.changes[change])));
        }
        // Too old, and allowed: how long was it not heard of?
        if let Some(delivered) = behind {
            report.excused(read.begin - delivered.min(read.begin));
        }
    }

    /// A change that the process must have heard of, and that covers what is demanded to be newer.
    fn broken(&self, read: &Read, era: &Era, demand: &Demand) -> Option<(Promise, usize)> {
        let changes = &self.facts.changes;
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
        let position = read.position.max(self.facts.heard_before(self.number, read.begin));
        let change = era.epochs[scope].newest(position.saturating_add(1), changes, demand)?;
        Some((Promise::Position, change))
    }

    fn describe(&self, read: &Read, demand: &Demand, promise: Promise, change: usize) -> Violation {
        let Placed { process, change } = &self.facts.changes[change];
        let node = self.facts.trees.node(demand.value);
        // The last version that was written before the call for certain.
        let written = node.and_then(|node| {
            let writes = &self.facts.writes[node.key];
            writes.iter().rev().find(|write| write.end < change.called).map(|write| write.version)
        });
        Violation::TooOld(Box::new(TooOld {
            promise,
            process: self.number,
            read: *read,
            part: node.cloned(),
            since: demand.since,
            scope: self.facts.space.describe(demand.scope),
            by: *process,
            change: change.clone(),
            written,
        }))
    }
}

/// Which process made a value.
fn maker(value: ValueId) -> usize {
    (value.0 >> 40) as usize
}

#[cfg(test)]
mod tests;
