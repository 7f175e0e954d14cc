//! Everything of a run but its reads.

use super::input::Process;
use super::known::Known;
use super::placed::Placed;
use super::report::{Report, Violation};
use super::tree::Trees;
use crate::history::clock::Moment;
use crate::history::log::{Change, Drained, Heard, Outcome, Record, Write};
use crate::history::space::Space;

/// Everything of a run but its reads, which are many.
pub(super) struct RunIndex<'a> {
    pub(super) space: &'a Space,
    pub(super) changes: Vec<Placed>,
    pub(super) trees: Trees,
    pub(super) writes: Vec<Vec<Write>>,
    pub(super) drained: Vec<Vec<Drained>>,
    /// For each process: the highest epoch that it was told of, by when.
    pub(super) heard: Vec<Vec<Heard>>,
}

impl<'a> RunIndex<'a> {
    pub(super) fn collect(space: &'a Space, processes: &[Process], report: &mut Report) -> Self {
        let none = || vec![Vec::new(); processes.len()];
        let mut run = Self {
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
                        if let Some(other) = run.trees.add(node) {
                            report.add(Violation::Changed { process: number, value: other });
                        }
                    }
                    Some(Record::Change(change)) => run.changes.push(Placed { process: number, change }),
                    Some(Record::Write(write)) => run.writes[write.key].push(write),
                    Some(Record::Drained(drained)) => run.drained[number].push(drained),
                    Some(Record::Heard(heard)) => run.heard[number].push(heard),
                    Some(Record::Settled(settled)) => report.settled(number, &settled, space),
                    Some(Record::Tally(tally)) => report.tally(number, &tally),
                    Some(Record::Read(_)) => {}
                    None => report.add(Violation::Unreadable { process: number }),
                }
            }
        }
        report.changes = run.changes.len();
        report.delivered = run.changes.iter().filter(|placed| run.delivered(placed).is_some()).count();
        for Placed { change, .. } in &run.changes {
            if let Some(value) = change.makes {
                run.trees.inserted(value, change.returned);
            }
        }
        for drained in &mut run.drained {
            drained.sort_unstable_by_key(|drained| drained.begin);
        }
        for heard in &mut run.heard {
            heard.sort_unstable_by_key(|heard| heard.at);
            let mut highest = 0;
            for heard in heard {
                highest = highest.max(heard.epoch);
                heard.epoch = highest;
            }
        }
        run.writes.iter_mut().for_each(|writes| writes.sort_unstable_by_key(|write| write.version));
        run
    }

    /// The changes of one process, by scope and by when their calls had returned.
    pub(super) fn own(&self, process: usize) -> Vec<Known> {
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
    pub(super) fn delivered(&self, placed: &Placed) -> Option<Moment> {
        let Change { returned, resolved, outcome, .. } = &placed.change;
        let said = resolved.filter(|_| matches!(outcome, Outcome::Delivered(_)));
        let seen = self.drained_after(placed.process, *returned, 0);
        said.into_iter().chain(seen).min()
    }

    /// When a process had nothing to tell, asked after one moment, and in touch after another.
    pub(super) fn drained_after(&self, process: usize, asked: Moment, in_touch: Moment) -> Option<Moment> {
        let drained = &self.drained[process];
        let first = drained.partition_point(|drained| drained.begin <= asked);
        drained[first..].iter().find(|drained| drained.in_touch >= in_touch).map(|drained| drained.end)
    }

    /// The highest epoch that a process was told, before a moment, that it had heard of.
    pub(super) fn heard_before(&self, process: usize, moment: Moment) -> u64 {
        let heard = &self.heard[process];
        match heard.partition_point(|heard| heard.at < moment) {
            0 => 0,
            count => heard[count - 1].epoch,
        }
    }
}
