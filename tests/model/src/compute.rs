//! Computing: begin (rule 1), dependencies (rule 5), storing.

use super::caller::Progress;
use super::event::Event;
use super::mutant::Mutant;
use super::scope::Key;
use super::state::{Caller, Outer, Pc};
use super::step::Step;
use super::value::Value;

impl Step<'_> {
    pub(crate) fn begin(&mut self, p: usize, c: usize) -> Progress {
        if self.state.spent.computations == self.config.computations {
            return self.abandon(p, c);
        }
        self.state.spent.computations += 1;
        let stamp = self.process(p).now;
        let caller = self.caller(p, c);
        caller.value = Value { scopes: caller.key.scopes(), stamp, ..Value::default() };
        let born = self.born(stamp);
        self.caller(p, c).value.born = born;
        self.goto(p, c, Pc::BeginPosition)
    }

    /// The bounds of the search end here: all callers go away without an answer.
    fn abandon(&mut self, p: usize, c: usize) -> Progress {
        self.land(p, c, None);
        if self.caller(p, c).outer.is_some() {
            self.caller(p, c).key = Key::D;
            self.land(p, c, None);
        }
        *self.caller(p, c) = Caller::default();
        Progress::Done
    }

    /// The computation itself begins after this, hence the ghost.
    pub(crate) fn begin_position(&mut self, p: usize, c: usize) -> Progress {
        let epoch = self.process(p).position;
        let after = self.state.ghost.called;
        let value = &mut self.caller(p, c).value;
        value.epoch = epoch;
        value.after = after;
        let looks = self.config.inserts > 0 && !self.is(Mutant::NoLookAfterBegin);
        self.goto(p, c, if looks { Pc::LookAfterBegin } else { Pc::Compute })
    }

    /// What was put in memory as a part of a change that this computation begins after is found.
    pub(crate) fn look_after_begin(&mut self, p: usize, c: usize) -> Progress {
        let key = self.caller(p, c).key;
        let found = self.state.processes[p].memory[key as usize];
        let Some(value) = found.filter(|value| self.is_valid_in_memory(p, value.scopes, value.stamp)) else {
            return self.goto(p, c, Pc::Compute);
        };
        self.saw(Event::FoundAfterBegin);
        self.caller(p, c).value = value;
        self.land(p, c, Some(value));
        self.finish(p, c)
    }

    pub(crate) fn compute(&mut self, p: usize, c: usize) -> Progress {
        if self.keeps_previous(p, c) {
            return self.goto(p, c, Pc::Store);
        }
        let caller = *self.caller(p, c);
        if caller.key == Key::K {
            return self.goto(p, c, Pc::Store);
        }
        let process = &self.state.processes[p];
        let (heard, must_show) = (process.expected(self.config), process.shows);
        *self.caller(p, c) = Caller {
            pc: Pc::AskContact,
            key: Key::K,
            heard,
            must_show,
            outer: Some(Outer { value: caller.value, heard: caller.heard, joins_any: caller.joins_any }),
            ..Caller::default()
        };
        Progress::Done
    }

    /// Whether the value is the old one. Judged now, after the begin: what covers it was not changed until then, and so
    /// what is changed later is younger than the stamp.
    fn keeps_previous(&mut self, p: usize, c: usize) -> bool {
        let Some(previous) = self.caller(p, c).previous.take() else { return false };
        if !self.is_valid(p, previous, previous.scopes) && !self.is(Mutant::PreviousNotJudged) {
            self.saw(Event::PreviousRefused);
            return false;
        }
        self.saw(Event::PreviousKept);
        let records = !self.is(Mutant::PreviousNotRecorded);
        let value = &mut self.caller(p, c).value;
        if records {
            value.scopes = value.scopes | previous.scopes;
        }
        // It is as old as it was.
        (value.after, value.inserted) = (previous.after, previous.inserted);
        true
    }

    /// Back in the computation of `d`, with `k` or the news that there is none.
    pub(crate) fn take_dependency(&mut self, p: usize, c: usize, k: Option<Value>) -> Progress {
        let Some(Outer { mut value, heard, joins_any }) = self.caller(p, c).outer else {
            return Progress::Blocked;
        };
        let ghost = &self.state.ghost;
        let records = match k {
            Some(k) => {
                // Older than `k` is older than what `k` is made from.
                let only_d = ghost.called & !ghost.covering(Key::K.scopes());
                value.after &= k.after | only_d;
                self.saw(Event::DependencyRead);
                !self.is(Mutant::NoDependencies)
            }
            None => !self.is(Mutant::NoDependencies) && !self.is(Mutant::MissesNotRecorded),
        };
        if records {
            value.scopes = value.scopes | Key::K.scopes();
        }
        *self.caller(p, c) =
            Caller { pc: Pc::Store, key: Key::D, value, heard, joins_any, ..Caller::default() };
        Progress::Done
    }

    pub(crate) fn store(&mut self, p: usize, c: usize) -> Progress {
        self.saw(Event::Computed);
        let late = self.is(Mutant::StampAfterComputation);
        let Caller { key, mut value, .. } = *self.caller(p, c);
        let process = self.process(p);
        if late {
            value.stamp = process.now;
            value.epoch = process.position;
        }
        self.keep(p, key, value);
        self.caller(p, c).value = value;
        self.land(p, c, Some(value));
        if self.config.shared {
            return self.goto(p, c, Pc::Write);
        }
        self.finish(p, c)
    }

    /// The write goes out on a connection that is known to lead to the right server: if that
    /// breaks, so does the write.
    pub(crate) fn write(&mut self, p: usize, c: usize) -> Progress {
        let Caller { key, value, .. } = *self.caller(p, c);
        if self.reaches_entries(p) {
            self.saw(Event::Written);
            self.put(key, value);
        }
        self.finish(p, c)
    }

    /// The entries of a process' own server, or those of another one that no fault strikes.
    pub(crate) fn reaches_entries(&self, p: usize) -> bool {
        self.config.entries_elsewhere || self.state.processes[p].online()
    }

    pub(crate) fn put(&mut self, key: Key, value: Value) {
        self.state.server.entries[key as usize] = Some(Value { stamp: 0, ..value });
    }
}
