//! What was checked, and what was found.

use std::fmt;

use crate::history::clock::{MILLISECOND, Moment, SECOND};
use crate::history::log::{Change, Node, Read, Settled, Tally};
use crate::history::space::Space;
use crate::history::value::ValueId;

/// Violations that are kept; the others are counted.
const KEPT: usize = 20;

/// How much more memory than in its first seconds a process may take: what waits during an outage, tables that are
/// filled little by little, and what an allocator keeps.
const MOST_GROWTH: u64 = 96 << 20;

/// Why a process must have heard of an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It was its own.
    SameProcess,
    /// It was delivered longer ago than `bypass` allows.
    Bypass,
    /// It was delivered before the process was last in touch, by its own account.
    InTouch,
    /// The process said that it had heard of everything up to there.
    Position,
}

/// A promise that was broken for certain.
#[derive(Debug, Clone)]
pub enum Violation {
    /// A read gave a value that was too old.
    TooOld(Box<TooOld>),
    /// A read gave a value that was made for another key.
    WrongKey {
        /// Who read.
        process: usize,
        /// The read.
        read: Read,
        /// The key that the value was made for.
        key: usize,
    },
    /// A value differed from itself.
    Changed {
        /// Who saw it.
        process: usize,
        /// Which.
        value: ValueId,
    },
    /// After all was over, a key did not become current.
    NeverCurrent {
        /// Where.
        process: usize,
        /// Its text.
        key: String,
        /// For how long that was waited for, in nanoseconds.
        waited: u64,
    },
    /// Something in a process did not end.
    Hung {
        /// Where.
        process: usize,
        /// How many tasks.
        tasks: u64,
    },
    /// A process takes ever more memory.
    Grows {
        /// Which.
        process: usize,
        /// What it took at first, in bytes.
        from: u64,
        /// What it took later.
        to: u64,
    },
    /// A log makes no sense.
    Unreadable {
        /// Whose.
        process: usize,
    },
}

/// A read that gave a value that was too old.
#[derive(Debug, Clone)]
pub struct TooOld {
    /// Why that was known.
    pub promise: Promise,
    /// Who read.
    pub process: usize,
    /// The read.
    pub read: Read,
    /// The value, or the part of it, that was too old.
    pub part: Option<Node>,
    /// When its making began, or that of what it is a part of.
    pub since: Moment,
    /// What covers it.
    pub scope: String,
    /// Who invalidated that.
    pub by: usize,
    /// How.
    pub change: Change,
    /// The version that the source had by then, if it had changed at all.
    pub written: Option<u64>,
}

/// What was checked, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The first violations.
    pub violations: Vec<Violation>,
    /// All of them.
    pub violation_count: usize,
    /// Reads that gave a value.
    pub reads: usize,
    /// Those whose value was there before.
    pub from_cache: usize,
    /// Those whose value another process had made.
    pub from_others: usize,
    /// Invalidations.
    pub changes: usize,
    /// Those that are known to have been delivered.
    pub delivered: usize,
    /// Reads of values that were too old, which the promises allow.
    pub excused: usize,
    /// The longest time from a delivery to a read that did not heed it, in nanoseconds.
    pub longest_excuse: u64,
    /// The longest time without contact before a read, in nanoseconds.
    pub longest_out_of_touch: u64,
    /// Half of the reads were begun with less time without contact than this, in nanoseconds.
    pub usual_out_of_touch: u64,
    /// Keys that became current after all was over, in all processes.
    pub settled: usize,
    /// The longest time that one took, in nanoseconds.
    pub longest_to_settle: u64,
    /// What the workers counted.
    pub tally: Tally,
    out_of_touch: Vec<u64>,
    broken: Vec<Promise>,
}

impl Report {
    pub(super) fn add(&mut self, violation: Violation) {
        self.violation_count += 1;
        if let Violation::TooOld(found) = &violation
            && !self.broken.contains(&found.promise)
        {
            self.broken.push(found.promise);
        }
        if self.violations.len() < KEPT {
            self.violations.push(violation);
        }
    }

    pub(super) fn read(&mut self, process: usize, read: &Read, began: Moment) {
        self.reads += 1;
        self.from_cache += usize::from(began < read.begin);
        self.from_others += usize::from(maker(read.value) != process);
        // Zero: it never was.
        if let Some(in_touch @ 1..) = read.in_touch_before {
            self.out_of_touch.push(read.begin.saturating_sub(in_touch));
        }
    }

    pub(super) fn excused(&mut self, late: u64) {
        self.excused += 1;
        self.longest_excuse = self.longest_excuse.max(late);
    }

    pub(super) fn settled(&mut self, process: usize, settled: &Settled, space: &Space) {
        if settled.current {
            self.settled += 1;
            self.longest_to_settle = self.longest_to_settle.max(settled.took);
        } else {
            let key = space.keys[settled.key].text.clone();
            self.add(Violation::NeverCurrent { process, key, waited: settled.took });
        }
    }

    pub(super) fn tally(&mut self, process: usize, tally: &Tally) {
        if tally.hung > 0 {
            self.add(Violation::Hung { process, tasks: tally.hung });
        }
        let (from, to) = (tally.memory_at_first, tally.memory);
        if to > from + MOST_GROWTH {
            self.add(Violation::Grows { process, from, to });
        }
        let sum = &mut self.tally;
        sum.memory_at_first = sum.memory_at_first.max(from);
        sum.memory = sum.memory.max(to);
        sum.reads += tally.reads;
        sum.nothing += tally.nothing;
        sum.failures += tally.failures;
        sum.cancelled += tally.cancelled;
        sum.computed += tally.computed;
        sum.kept += tally.kept;
        sum.from_disk += tally.from_disk;
        sum.in_transactions += tally.in_transactions;
    }

    pub(super) fn finish(&mut self) {
        let mut times = std::mem::take(&mut self.out_of_touch);
        times.sort_unstable();
        self.usual_out_of_touch = times.get(times.len() / 2).copied().unwrap_or_default();
        self.longest_out_of_touch = times.last().copied().unwrap_or_default();
    }

    /// Whether a promise of this kind was broken.
    #[must_use]
    pub fn breaks(&self, promise: Promise) -> bool {
        self.broken.contains(&promise)
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / SECOND as f64
}

/// One line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, from_cache, from_others, changes, delivered, excused, settled, tally, .. } = self;
        write!(f, "{reads} reads ({from_cache} found, {from_others} of others), ")?;
        write!(f, "{changes} invalidations ({delivered} delivered), ")?;
        write!(f, "{} from disk, {} computed, {} kept, ", tally.from_disk, tally.computed, tally.kept)?;
        write!(f, "{} in transactions, ", tally.in_transactions)?;
        write!(f, "{excused} late by up to {:.3} s, ", seconds(self.longest_excuse))?;
        let (usual, longest) = (seconds(self.usual_out_of_touch), seconds(self.longest_out_of_touch));
        write!(f, "out of touch for {usual:.4} s, up to {longest:.2} s, ")?;
        write!(f, "{settled} settled within {:.2} s, ", seconds(self.longest_to_settle))?;
        let (first, later) = (tally.memory_at_first >> 20, tally.memory >> 20);
        write!(f, "{first} MiB at first, {later} MiB later, {} violations", self.violation_count)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(found) => found.fmt(f),
            Self::WrongKey { process, read, key } => {
                write!(f, "process {process} was given a value of key {key}: {read:?}")
            }
            Self::Changed { process, value } => write!(f, "process {process} saw {value:?} changed"),
            Self::NeverCurrent { process, key, waited } => {
                write!(f, "process {process}: {key} was not current after {:.1} s", seconds(*waited))
            }
            Self::Hung { process, tasks } => write!(f, "process {process}: {tasks} tasks did not end"),
            Self::Grows { process, from, to } => {
                let (from, to) = (from >> 20, to >> 20);
                write!(f, "process {process} took {from} MiB at first and {to} MiB later")
            }
            Self::Unreadable { process } => write!(f, "process {process}: its log makes no sense"),
        }
    }
}

impl fmt::Display for TooOld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, process, read, part, since, scope, by, change, written } = self;
        let before =
            |moment: Moment| read.begin.wrapping_sub(moment).cast_signed() as f64 / MILLISECOND as f64;
        writeln!(f, "process {process} read key {} ({promise:?}):", read.key)?;
        writeln!(
            f,
            "  {:.3} ms before, process {by} invalidated {scope}: {change:?}",
            before(change.called)
        )?;
        writeln!(f, "  {:.3} ms before, what was read was begun: {part:?}", before(*since))?;
        writeln!(f, "  the source had version {written:?} before that invalidation")?;
        write!(f, "  {read:?}")
    }
}

/// Which process made a value.
fn maker(value: ValueId) -> usize {
    (value.0 >> 40) as usize
}
