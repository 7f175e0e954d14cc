//! Reading: memory (rule 3), another's computation (rule 6), an entry in Redis (rules 3 and 4).

use super::caller::Progress;
use super::event::Event;
use super::mutant::Mutant;
use super::scope::{Key, Scopes};
use super::state::{Caller, Pc, Sending};
use super::step::Step;
use super::value::Value;

/// What a Redis entry is judged by.
enum Judge {
    Outbox,
    Floors,
    Slots,
}

impl Step<'_> {
    /// Whether the process may serve nothing of what it knows.
    fn out_of_contact(&mut self, p: usize) -> bool {
        let out = self.config.bypass && !self.process(p).in_contact;
        if out {
            self.saw(Event::OutOfContact);
        }
        out
    }

    /// Contact first, then `now`, then the slots: what contact was proven of is in these slots.
    pub(crate) fn ask_contact(&mut self, p: usize, c: usize) -> Progress {
        let asked = !self.is(Mutant::ContactAskedAfterLook);
        let then = if asked && self.out_of_contact(p) { Pc::EnterSingleflight } else { Pc::LoadNow };
        self.goto(p, c, then)
    }

    pub(crate) fn ask_contact_last(&mut self, p: usize, c: usize) -> Progress {
        if self.out_of_contact(p) { self.goto(p, c, Pc::EnterSingleflight) } else { self.finish(p, c) }
    }

    fn hit(&mut self, p: usize, c: usize) -> Progress {
        match self.is(Mutant::ContactAskedAfterLook) {
            true => self.goto(p, c, Pc::AskContactLast),
            false => self.finish(p, c),
        }
    }

    pub(crate) fn load_now(&mut self, p: usize, c: usize, then: Pc) -> Progress {
        let now = self.process(p).now;
        self.caller(p, c).now = now;
        self.goto(p, c, then)
    }

    pub(crate) fn look_in_memory(&mut self, p: usize, c: usize) -> Progress {
        let Caller { key, now, .. } = *self.caller(p, c);
        let Some(value) = self.process(p).memory[key as usize] else {
            return self.goto(p, c, Pc::EnterSingleflight);
        };
        self.caller(p, c).value = value;
        if value.stamp == now {
            self.saw(Event::HitAtOnce);
            return self.hit(p, c);
        }
        self.caller(p, c).detached = false;
        if !self.is_valid_in_memory(p, value.scopes, value.stamp) {
            if self.has_log_order(p, value) {
                self.caller(p, c).in_memory = true;
                return self.goto(p, c, Pc::JudgeFirst);
            }
            self.saw(Event::StaleInMemory);
            return self.goto(p, c, Pc::EnterSingleflight);
        }
        self.goto(p, c, Pc::MoveStamp)
    }

    /// Whether an entry in memory that local order refuses may be valid in log order. What covers everything is
    /// final, and so is a new start.
    fn has_log_order(&self, p: usize, value: Value) -> bool {
        let final_change = self.state.processes[p].newest_local(Scopes::ALL);
        self.config.redis && value.epoch != 0 && final_change <= value.stamp
    }

    /// Rule 3: one of the two orders has to find it valid.
    pub(crate) fn is_valid(&self, p: usize, value: Value, scopes: Scopes) -> bool {
        let process = &self.state.processes[p];
        let waits = scopes.indices().any(|index| process.outbox[index].sending != Sending::Empty);
        let newest = process.floor().max(process.newest_in_log(scopes));
        self.is_valid_in_memory(p, scopes, value.stamp)
            || self.has_log_order(p, value) && !waits && newest <= value.epoch
    }

    pub(crate) fn move_stamp(&mut self, p: usize, c: usize) -> Progress {
        self.saw(Event::HitAfterLook);
        let later = self.is(Mutant::StampMovedToLaterNow);
        let down = self.is(Mutant::StampMovedDown);
        let caller = *self.caller(p, c);
        let process = self.process(p);
        let to = if later { process.now } else { caller.now };
        if let Some(entry) = &mut process.memory[caller.key as usize]
            && !caller.detached
        {
            entry.stamp = if down { to } else { to.max(entry.stamp) };
        }
        self.caller(p, c).value.stamp = to;
        self.hit(p, c)
    }

    pub(crate) fn enter_singleflight(&mut self, p: usize, c: usize) -> Progress {
        let key = self.caller(p, c).key;
        if self.config.singleflight && !self.answers_misses(p, c) {
            let leader = &mut self.process(p).leaders[key as usize];
            if leader.is_some() {
                self.saw(Event::Joined);
                return self.goto(p, c, Pc::Joined);
            }
            *leader = Some(c as u8);
        }
        self.goto(p, c, Pc::Fetch)
    }

    /// Hands the result of a computation to those who joined it.
    pub(crate) fn land(&mut self, p: usize, c: usize, value: Option<Value>) {
        let key = self.caller(p, c).key;
        let process = self.process(p);
        if process.leaders[key as usize] != Some(c as u8) {
            return;
        }
        process.leaders[key as usize] = None;
        for caller in &mut process.callers {
            if caller.pc == Pc::Joined && caller.key == key {
                match value {
                    Some(value) => {
                        caller.value = value;
                        caller.pc = Pc::AcceptOutcome;
                    }
                    None => *caller = Caller::default(),
                }
            }
        }
    }

    pub(crate) fn accept_outcome(&mut self, p: usize, c: usize) -> Progress {
        let Caller { key, value, joins_any, .. } = *self.caller(p, c);
        if joins_any {
            self.saw(Event::LaterOutcomeAccepted);
            return self.finish(p, c);
        }
        let scopes = if self.is(Mutant::OwnScopesOnly) { key.scopes() } else { value.scopes };
        let valid = !self.out_of_contact(p) && self.is_valid(p, value, scopes);
        if self.is(Mutant::JoinAnyComputation) || valid {
            self.saw(Event::OutcomeAccepted);
            return self.finish(p, c);
        }
        self.saw(Event::OutcomeRefused);
        self.caller(p, c).joins_any = true;
        self.goto(p, c, Pc::EnterSingleflight)
    }

    pub(crate) fn fetch(&mut self, p: usize, c: usize) -> Progress {
        let key = self.caller(p, c).key;
        let online = self.config.shared && self.reaches_entries(p);
        match self.state.server.entry(key).filter(|_| online) {
            Some(entry) => {
                self.caller(p, c).value = entry;
                self.goto(p, c, Pc::AskContactToJudge)
            }
            None => self.miss(p, c),
        }
    }

    pub(crate) fn ask_contact_to_judge(&mut self, p: usize, c: usize) -> Progress {
        if !self.is(Mutant::ContactAskedAfterJudging) && self.out_of_contact(p) {
            return self.miss(p, c);
        }
        self.goto(p, c, Pc::LoadNowToJudge)
    }

    pub(crate) fn ask_contact_judged(&mut self, p: usize, c: usize) -> Progress {
        if self.out_of_contact(p) { self.miss(p, c) } else { self.goto(p, c, Pc::Promote) }
    }

    pub(crate) fn judge(&mut self, p: usize, c: usize, nth: usize) -> Progress {
        use Judge::{Floors, Outbox, Slots};
        let in_memory = self.caller(p, c).in_memory;
        if self.is(Mutant::PromotionWithoutCheck) && !in_memory {
            return self.goto(p, c, Pc::Promote);
        }
        let order = if self.is(Mutant::SlotsLookedAtFirst) {
            [Slots, Outbox, Floors]
        } else {
            [Outbox, Floors, Slots]
        };
        let Value { scopes, epoch, .. } = self.caller(p, c).value;
        let process = &self.state.processes[p];
        let refusal = match order[nth] {
            Outbox => {
                let waiting = |index: usize| process.outbox[index].sending != Sending::Empty;
                let ignored =
                    if in_memory { Mutant::OutboxNotLookedAtAgain } else { Mutant::OutboxNotLookedAt };
                (scopes.indices().any(waiting) && !self.is(ignored)).then_some(Event::RefusedByOutbox)
            }
            Floors => (epoch < process.floor()).then_some(Event::RefusedByFloor),
            Slots => {
                let ignored = in_memory && self.is(Mutant::SlotsNotLookedAtAgain);
                (epoch < process.newest_in_log(scopes) && !ignored).then_some(Event::RefusedBySlots)
            }
        };
        if let Some(event) = refusal {
            self.saw(event);
            if std::mem::take(&mut self.caller(p, c).in_memory) {
                self.saw(Event::StaleInMemory);
                return self.goto(p, c, Pc::EnterSingleflight);
            }
            return self.miss(p, c);
        }
        if nth == 2 && std::mem::take(&mut self.caller(p, c).in_memory) {
            self.saw(Event::ValidInLogOrder);
            return self.goto(p, c, Pc::MoveStamp);
        }
        let last = match self.is(Mutant::ContactAskedAfterJudging) {
            true => Pc::AskContactJudged,
            false => Pc::Promote,
        };
        let then = [Pc::JudgeSecond, Pc::JudgeThird, last][nth];
        self.goto(p, c, then)
    }

    pub(crate) fn promote(&mut self, p: usize, c: usize) -> Progress {
        self.saw(Event::Promoted);
        let caller = *self.caller(p, c);
        let at_insertion = self.is(Mutant::PromotionStampedAtInsertion);
        let later_epoch = self.is(Mutant::PromotionTakesLaterEpoch);
        let process = &self.state.processes[p];
        let born = self.born(caller.now);
        let stamp = if at_insertion { process.now } else { caller.now };
        let mut value = Value { stamp, born, ..caller.value };
        if later_epoch {
            value.epoch = process.highest();
        }
        self.keep(p, caller.key, value);
        self.caller(p, c).value = value;
        if caller.renews {
            self.caller(p, c).previous = Some(value);
            return self.goto(p, c, Pc::Begin);
        }
        self.land(p, c, Some(value));
        self.finish(p, c)
    }

    /// The read returns: to its caller, or to the computation of `d` that made it.
    pub(crate) fn finish(&mut self, p: usize, c: usize) -> Progress {
        let caller = *self.caller(p, c);
        let Caller { value, outer, .. } = caller;
        self.check(p, caller);
        match outer {
            Some(_) => self.take_dependency(p, c, Some(value)),
            None => {
                *self.caller(p, c) = Caller::default();
                Progress::Done
            }
        }
    }

    /// Whether this is a plain `get` inside a computation.
    pub(crate) fn answers_misses(&mut self, p: usize, c: usize) -> bool {
        let caller = self.caller(p, c);
        let inside = caller.outer.is_some() && caller.key == Key::K;
        inside && self.config.nested == super::config::Nested::Get
    }

    fn miss(&mut self, p: usize, c: usize) -> Progress {
        if self.answers_misses(p, c) {
            self.saw(Event::MissRead);
            return self.take_dependency(p, c, None);
        }
        self.goto(p, c, Pc::Begin)
    }
}
