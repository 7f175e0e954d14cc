//! Changing: `invalidate` (rules 2 and 8) and `insert` (rule 11).

use super::caller::Progress;
use super::event::Event;
use super::mutant::Mutant;
use super::scope::{Key, Scopes};
use super::state::{Caller, Lock, Pc, Sending};
use super::step::Step;
use super::value::{Mask, Value};

impl Step<'_> {
    pub(crate) fn begin_invalidate(&mut self, p: usize, c: usize, scope: Scopes) {
        let calls = self.invalidation_called(scope);
        *self.caller(p, c) = Caller { pc: Pc::EnterOutbox, scope, calls, ..Caller::default() };
    }

    fn invalidation_called(&mut self, scope: Scopes) -> Mask {
        let ghost = &mut self.state.ghost;
        let nth = ghost.called.count_ones();
        ghost.called |= 1 << nth;
        ghost.scopes[nth as usize] = scope;
        1 << nth
    }

    /// First of all: who loads the new `now` and then judges a Redis entry must meet the outbox.
    pub(crate) fn enter_outbox(&mut self, p: usize, c: usize) -> Progress {
        if !self.lock(p, Lock::Caller(c as u8)) {
            return Progress::Blocked;
        }
        let Caller { scope, pc, .. } = *self.caller(p, c);
        if !self.is(Mutant::OutboxAfterLocalChange) {
            self.add_to_outbox(p, scope);
        }
        if self.is(Mutant::AppendBeforeLocalChange) {
            let calls = self.caller(p, c).calls;
            self.queue(p, scope, calls);
        }
        self.caller(p, c).now = self.state.processes[p].now + 1;
        if pc != Pc::InsertCall {
            return self.goto(p, c, Pc::InvalidateFirst);
        }
        let value = self.caller(p, c).value;
        let keeps = self.is_valid_in_memory(p, value.scopes, value.stamp);
        self.caller(p, c).keeps = keeps || self.is(Mutant::InsertStampedAtEnd);
        let placed_last = self.is(Mutant::PlacedAfterChange);
        self.goto(p, c, if placed_last { Pc::InsertSlots } else { Pc::InsertPlace })
    }

    pub(crate) fn invalidate_first(&mut self, p: usize, c: usize) -> Progress {
        let Caller { scope, now, .. } = *self.caller(p, c);
        if self.is(Mutant::NowBeforeSlots) {
            self.process(p).now = now;
        } else {
            self.raise_local(p, scope, now);
        }
        self.goto(p, c, Pc::InvalidateSecond)
    }

    pub(crate) fn invalidate_second(&mut self, p: usize, c: usize) -> Progress {
        let Caller { scope, now, calls, .. } = *self.caller(p, c);
        if self.is(Mutant::NowBeforeSlots) {
            self.raise_local(p, scope, now);
        } else {
            self.process(p).now = now;
        }
        if !self.is(Mutant::OutboxAfterLocalChange) && !self.is(Mutant::AppendBeforeLocalChange) {
            self.queue(p, scope, calls);
        }
        self.unlock(p);
        self.goto(p, c, Pc::InvalidateReturn)
    }

    pub(crate) fn invalidate_return(&mut self, p: usize, c: usize) -> Progress {
        let Caller { calls, scope, .. } = *self.caller(p, c);
        if self.is(Mutant::OutboxAfterLocalChange) {
            self.queue(p, scope, calls);
        }
        self.process(p).heard |= calls;
        *self.caller(p, c) = Caller::default();
        Progress::Done
    }

    /// `since = begin()`; a plain `insert` is the case that is not interrupted before its call.
    pub(crate) fn begin_insert(&mut self, p: usize, c: usize) {
        self.state.spent.inserts += 1;
        let after = self.state.ghost.called;
        let stamp = self.process(p).now;
        *self.caller(p, c) = Caller {
            pc: Pc::InsertCall,
            key: Key::K,
            scope: Scopes::K,
            value: Value { scopes: Key::K.scopes(), stamp, after, ..Value::default() },
            ..Caller::default()
        };
    }

    pub(crate) fn insert_call(&mut self, p: usize, c: usize) -> Progress {
        if self.state.ghost.called.count_ones() >= u32::from(self.config.invalidations) {
            *self.caller(p, c) = Caller::default();
            return Progress::Done;
        }
        if !self.lock(p, Lock::Caller(c as u8)) {
            return Progress::Blocked;
        }
        let calls = self.invalidation_called(Scopes::K);
        let caller = self.caller(p, c);
        caller.calls = calls;
        caller.value.after |= calls;
        self.enter_outbox(p, c)
    }

    /// Judged and put in place before the change can be seen.
    pub(crate) fn insert_place(&mut self, p: usize, c: usize, then: Pc) -> Progress {
        let Caller { value, keeps, now, .. } = *self.caller(p, c);
        if keeps {
            let born = self.born(now);
            let value = Value { stamp: now, born, inserted: true, ..value };
            self.caller(p, c).value = value;
            self.keep(p, Key::K, value);
        }
        self.goto(p, c, then)
    }

    pub(crate) fn insert_slots(&mut self, p: usize, c: usize) -> Progress {
        let now = self.caller(p, c).now;
        self.raise_local(p, Scopes::K, now);
        self.goto(p, c, Pc::InsertNow)
    }

    pub(crate) fn insert_now(&mut self, p: usize, c: usize) -> Progress {
        let target = self.caller(p, c).now;
        self.process(p).now = target;
        let placed_last = self.is(Mutant::PlacedAfterChange);
        self.goto(p, c, if placed_last { Pc::InsertPlaceLast } else { Pc::InsertReturn })
    }

    pub(crate) fn insert_return(&mut self, p: usize, c: usize) -> Progress {
        let Caller { keeps, calls, .. } = *self.caller(p, c);
        self.queue(p, Scopes::K, calls);
        let process = self.process(p);
        process.heard |= calls;
        process.shows |= keeps;
        self.unlock(p);
        if keeps && self.config.shared {
            self.saw(Event::InsertKept);
            return self.goto(p, c, Pc::InsertWrite);
        }
        self.saw(if keeps { Event::InsertKept } else { Event::InsertDropped });
        *self.caller(p, c) = Caller::default();
        Progress::Done
    }

    /// After the echo. The position is loaded before the value is found valid, so that it covers
    /// no more than what was looked at.
    pub(crate) fn insert_write(&mut self, p: usize, c: usize) -> Progress {
        let Value { scopes, stamp, .. } = self.caller(p, c).value;
        let process = self.process(p);
        if process.outbox[Key::K as usize].sending != Sending::Empty {
            return Progress::Blocked;
        }
        let epoch = process.position;
        let online = self.reaches_entries(p);
        if online && self.is_valid_in_memory(p, scopes, stamp) {
            self.saw(Event::InsertWritten);
            let value = self.caller(p, c).value;
            self.put(Key::K, Value { epoch, ..value });
        }
        *self.caller(p, c) = Caller::default();
        Progress::Done
    }
}
