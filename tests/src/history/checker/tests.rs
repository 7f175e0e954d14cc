//! Histories made by hand: each promise kept and broken.

use std::time::Duration;

use super::*;
use crate::history::clock::{MILLISECOND, Moment};
use crate::history::log::{Change, Drained, Heard, Log, Node, Outcome, Settled, Tally, Write};
use crate::history::value::ValueId;

mod dependencies;
mod failovers;
mod promises;

/// What happened, told in milliseconds from the start.
struct Story {
    space: Space,
    modes: Vec<Mode>,
    records: Vec<Vec<Record>>,
    losses: Losses,
    values: u64,
}

/// A read, before it is told.
struct Reads {
    at: u64,
    in_touch: Option<u64>,
    position: u64,
}

/// How an invalidation went.
#[derive(Clone, Copy)]
enum Went {
    Unknown,
    Queued(u64),
    Delivered(u64),
    DeliveredAt(u64, u64),
}

fn moment(milliseconds: u64) -> Moment {
    // Zero says "never" here and there.
    (1_000 + milliseconds) * MILLISECOND
}

fn at(at: u64) -> Reads {
    Reads { at, in_touch: None, position: 0 }
}

impl Reads {
    fn in_touch(self, in_touch: u64) -> Self {
        Self { in_touch: Some(in_touch), ..self }
    }

    fn position(self, position: u64) -> Self {
        Self { position, ..self }
    }
}

impl Story {
    /// Two processes that serve what they have.
    fn new() -> Self {
        Self::of(&[Mode::Serve; 2])
    }

    fn of(modes: &[Mode]) -> Self {
        Self {
            space: Space::new(2),
            modes: modes.to_vec(),
            records: vec![Vec::new(); modes.len()],
            losses: Losses { windows: Vec::new(), epochs_rise: true },
            values: 0,
        }
    }

    fn key(&self, text: &str) -> usize {
        self.space.keys.iter().position(|key| key.text == text).unwrap()
    }

    fn scope(&self, scope: larder::Scope) -> usize {
        self.space.scopes.iter().position(|known| *known == scope).unwrap()
    }

    /// A process begins to make a value.
    fn makes(&mut self, process: usize, key: &str, began: u64) -> ValueId {
        self.makes_from(process, key, began, &[])
    }

    /// The same, from what it read: keys, and what was there.
    fn makes_from(
        &mut self,
        process: usize,
        key: &str,
        began: u64,
        parts: &[(&str, Option<ValueId>)],
    ) -> ValueId {
        self.values += 1;
        let id = ValueId((process as u64) << 40 | self.values);
        let parts = parts.iter().map(|(key, found)| (self.key(key), *found)).collect();
        let node =
            Node { id, key: self.key(key), began: moment(began), version: None, inserted: false, parts };
        self.records[process].push(Record::Value(node));
        id
    }

    fn reads(&mut self, process: usize, key: &str, value: ValueId, reads: Reads) {
        let begin = moment(reads.at);
        let read = Read {
            begin,
            end: begin + MILLISECOND,
            key: self.key(key),
            value,
            in_touch_before: reads.in_touch.map(moment),
            in_touch_after: None,
            position: reads.position,
        };
        self.records[process].push(Record::Read(read));
    }

    /// A process invalidates; the call takes a millisecond.
    fn invalidates(&mut self, process: usize, scope: impl Into<Covers>, called: u64, went: Went) {
        let scope = match scope.into() {
            Covers::Key(key) => self.space.scope_of_key(self.key(key)),
            Covers::Scope(scope) => self.scope(scope),
        };
        let (resolved, outcome) = match went {
            Went::Unknown => (None, Outcome::Unknown),
            Went::Queued(at) => (Some(moment(at)), Outcome::Queued),
            Went::Delivered(at) => (Some(moment(at)), Outcome::Delivered(0)),
            Went::DeliveredAt(at, epoch) => (Some(moment(at)), Outcome::Delivered(epoch)),
        };
        self.change(process, called, called + 1, resolved, outcome, None, vec![scope]);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a record, in their order")]
    fn change(
        &mut self,
        process: usize,
        called: u64,
        returned: u64,
        resolved: Option<Moment>,
        outcome: Outcome,
        makes: Option<ValueId>,
        scopes: Vec<usize>,
    ) {
        let (called, returned) = (moment(called), moment(returned));
        let change = Change { called, returned, resolved, outcome, makes, scopes };
        self.records[process].push(Record::Change(change));
    }

    /// A process says that nothing waits in its outbox.
    fn drained(&mut self, process: usize, at: u64, in_touch: u64) {
        let drained = Drained { begin: moment(at), end: moment(at), in_touch: moment(in_touch) };
        self.records[process].push(Record::Drained(drained));
    }

    fn report(&self) -> Report {
        let process = |(mode, records): (&Mode, &Vec<Record>)| Process { mode: *mode, log: Log::of(records) };
        let processes: Vec<_> = self.modes.iter().zip(&self.records).map(process).collect();
        check(&self.space, &processes, &self.losses)
    }

    #[track_caller]
    fn holds(&self) {
        let violations: Vec<_> = self.report().violations.iter().map(ToString::to_string).collect();
        assert_eq!(violations, [""; 0]);
    }

    #[track_caller]
    fn breaks(&self, promise: Promise) {
        let report = self.report();
        assert!(report.breaks(promise), "not found: {report}");
        assert_eq!(report.violation_count, 1);
    }
}

/// What an invalidation covers.
enum Covers {
    Key(&'static str),
    Scope(larder::Scope),
}

impl From<&'static str> for Covers {
    fn from(key: &'static str) -> Self {
        Self::Key(key)
    }
}

impl From<larder::Scope> for Covers {
    fn from(scope: larder::Scope) -> Self {
        Self::Scope(scope)
    }
}

const D: Mode = Mode::Bypass(Duration::from_millis(100));

#[test]
fn a_value_of_another_key_is_found() {
    let mut story = Story::new();
    let value = story.makes(0, "a:1", 1);
    story.reads(0, "a:2", value, at(5));
    assert!(matches!(story.report().violations[..], [Violation::WrongKey { .. }]));
}

#[test]
fn a_value_that_differs_from_itself_is_found() {
    let mut story = Story::new();
    let id = story.makes(0, "a:1", 1);
    let node = Node { id, key: 0, began: moment(2), version: None, inserted: false, parts: Vec::new() };
    story.records[1].push(Record::Value(node));
    assert!(matches!(story.report().violations[..], [Violation::Changed { process: 1, .. }]));
}

#[test]
fn what_does_not_settle_is_found() {
    let mut story = Story::new();
    let settled = Settled { key: 3, took: 9, current: true, value: None };
    story.records[0].push(Record::Settled(settled));
    story.holds();
    story.records[1].push(Record::Settled(Settled { current: false, ..settled }));
    assert!(matches!(story.report().violations[..], [Violation::NeverCurrent { process: 1, .. }]));
}

#[test]
fn what_hangs_is_found() {
    let mut story = Story::new();
    story.records[1].push(Record::Tally(Tally { hung: 2, ..Tally::default() }));
    assert!(matches!(story.report().violations[..], [Violation::Hung { process: 1, tasks: 2 }]));
}
