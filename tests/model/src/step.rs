//! One move of one actor, from state to state.

use super::action::Action;
use super::config::Config;
use super::event::{Event, Events};
use super::mutant::Mutant;
use super::scope::{Key, Scopes};
use super::state::{Caller, Lock, Process, Sending, State};
use super::value::{Mask, Value};

/// The promise, broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Breach {
    /// A read returned a value older than invalidations that its process had heard of.
    StaleRead { p: usize, key: Key, ignored: Mask },
    /// A read of `k` returned what the database has, although a process had inserted something newer.
    NotShown { p: usize },
    /// The server has lost invalidations whose sender has nothing left to send.
    Forgotten { p: usize, lost: Mask },
}

/// A move being made.
pub(crate) struct Step<'a> {
    pub(crate) config: &'a Config,
    mutant: Option<Mutant>,
    pub(crate) state: State,
    pub(crate) events: Events,
    pub(crate) breach: Option<Breach>,
}

impl<'a> Step<'a> {
    /// Makes the move, or finds that it is not possible.
    pub(crate) fn make(
        config: &'a Config,
        mutant: Option<Mutant>,
        state: &State,
        action: Action,
    ) -> Option<Self> {
        let mut step = Self { config, mutant, state: *state, events: Events::default(), breach: None };
        step.take(action).then_some(step)
    }

    fn take(&mut self, action: Action) -> bool {
        match action {
            Action::Initial => false,
            Action::Call(p, c, call) => self.call(p.into(), c.into(), call),
            Action::Resume(p, c) => self.resume(p.into(), c.into()),
            Action::Follow(p) => self.follow(p.into()),
            Action::ReadBackwards(p) => self.read_backwards(p.into()),
            Action::Append(p, s) => self.append(p.into(), s.into()),
            Action::Reply(p, s) => self.reply(p.into(), s.into()),
            Action::OlderReply(p, s) => self.older_reply(p.into(), s.into()),
            Action::Fault(fault) => self.strike(fault),
        }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn saw(&mut self, event: Event) {
        self.events.add(event);
    }

    pub(crate) fn process(&mut self, p: usize) -> &mut Process {
        &mut self.state.processes[p]
    }

    /// Takes the applier lock of a process; a mutant has none.
    pub(crate) fn lock(&mut self, p: usize, by: Lock) -> bool {
        if self.is(Mutant::TwoAppliers) {
            return true;
        }
        let lock = &mut self.process(p).lock;
        if *lock != Lock::Free && *lock != by {
            return false;
        }
        *lock = by;
        true
    }

    pub(crate) fn unlock(&mut self, p: usize) {
        self.process(p).lock = Lock::Free;
    }

    pub(crate) fn raise_local(&mut self, p: usize, scopes: Scopes, to: u8) {
        if scopes.meets(Key::K.truth()) {
            self.process(p).shows = false;
        }
        for index in scopes.indices() {
            let slot = &mut self.process(p).local[index];
            *slot = to.max(*slot);
        }
    }

    /// Raises log slots; everything has a floor of its own instead of a slot.
    pub(crate) fn raise_log(&mut self, p: usize, scopes: Scopes, to: u8) {
        let process = self.process(p);
        if scopes.meets(Scopes::ALL) {
            process.reset_floor = to.max(process.reset_floor);
            self.saw(Event::ResetFloorRaised);
            return;
        }
        for index in scopes.indices() {
            let slot = &mut process.log[index];
            *slot = to.max(*slot);
        }
    }

    pub(crate) fn is_valid_in_memory(&self, p: usize, scopes: Scopes, stamp: u8) -> bool {
        self.state.processes[p].newest_local(scopes) <= stamp
    }

    /// The promises: nothing heard before the read started is missing from the value, and what this process inserted
    /// into `k` before that is shown until something covers it.
    pub(crate) fn check(&mut self, p: usize, caller: Caller) {
        let Caller { key, heard, must_show, value, .. } = caller;
        let ignored = heard & !value.after & self.state.ghost.covering(key.truth());
        if self.breach.is_some() {
            return;
        }
        if ignored != 0 {
            self.breach = Some(Breach::StaleRead { p, key, ignored });
        } else if must_show && self.process(p).shows && !value.inserted {
            self.breach = Some(Breach::NotShown { p });
        }
    }

    /// Puts a value into memory, unless what is there is younger.
    pub(crate) fn keep(&mut self, p: usize, key: Key, value: Value) {
        let before = self.state.processes[p].memory[key as usize];
        let is_younger = before.is_some_and(|before| before.born > value.born);
        if is_younger {
            self.saw(Event::PlaceRefused);
        }
        if !is_younger || self.is(Mutant::OlderTakesPlace) {
            self.process(p).keep(key, value);
        }
    }

    /// The local order for [`Value::born`].
    pub(crate) fn born(&self, at: u8) -> u8 {
        if self.config.inserts > 0 { at } else { 0 }
    }

    /// What a failover lost is promised only once its sender has appended it again: so that must
    /// happen.
    pub(crate) fn check_nothing_forgotten(&mut self, p: usize) {
        let outbox = &self.state.processes[p].outbox;
        // There was nothing to read: a record that was named and did not come back never will.
        if !outbox.iter().all(|pending| matches!(pending.sending, Sending::Empty | Sending::Named(_))) {
            return;
        }
        let ours = outbox.iter().fold(0, |mask, pending| mask | pending.carries);
        let lost = ours & !self.state.server.appended;
        if lost != 0 {
            self.breach = Some(Breach::Forgotten { p, lost });
        }
    }
}
