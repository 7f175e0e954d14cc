//! A caller: how its steps hang together. The steps are in [`super::read`], [`super::compute`]
//! and [`super::change`].

use super::action::Call;
use super::scope::Key;
use super::state::{Caller, Pc};
use super::step::Step;

/// What a step of a caller came to.
pub(crate) enum Progress {
    /// It waits for another caller.
    Blocked,
    Done,
}

impl Step<'_> {
    pub(crate) fn caller(&mut self, p: usize, c: usize) -> &mut Caller {
        &mut self.process(p).callers[c]
    }

    pub(crate) fn goto(&mut self, p: usize, c: usize, pc: Pc) -> Progress {
        self.caller(p, c).pc = pc;
        Progress::Done
    }

    pub(crate) fn call(&mut self, p: usize, c: usize, call: Call) -> bool {
        match call {
            Call::Read(key) => {
                let heard = self.state.processes[p].expected(self.config);
                let must_show = key == Key::K && self.process(p).shows;
                *self.caller(p, c) =
                    Caller { pc: Pc::AskContact, key, heard, must_show, ..Caller::default() };
            }
            Call::Renew(key) => {
                let heard = self.state.processes[p].expected(self.config);
                let there = self.process(p).memory[key as usize];
                let previous = there.filter(|value| self.is_valid(p, *value, value.scopes));
                let pc = if previous.is_some() { Pc::Begin } else { Pc::Fetch };
                *self.caller(p, c) = Caller { pc, key, heard, renews: true, previous, ..Caller::default() };
            }
            Call::Invalidate(scope) => self.begin_invalidate(p, c, scope),
            Call::Insert => self.begin_insert(p, c),
        }
        if self.pauses_before(p, c) {
            return true;
        }
        self.resume(p, c);
        true
    }

    /// Runs the caller up to where it may be interrupted next.
    pub(crate) fn resume(&mut self, p: usize, c: usize) -> bool {
        let mut moved = false;
        loop {
            if matches!(self.step(p, c), Progress::Blocked) {
                return moved;
            }
            moved = true;
            if self.caller(p, c).pc == Pc::Idle || self.pauses_before(p, c) {
                return true;
            }
        }
    }

    fn pauses_before(&self, p: usize, c: usize) -> bool {
        let fine = &self.config.fine;
        let caller = &self.state.processes[p].callers[c];
        match caller.pc {
            Pc::LookInMemory | Pc::MoveStamp | Pc::AskContactLast => fine.hit,
            Pc::LoadNow => fine.hit && self.config.bypass,
            Pc::AskContactToJudge | Pc::AskContactJudged => fine.judge && self.config.bypass,
            Pc::LoadNowToJudge | Pc::JudgeFirst | Pc::JudgeSecond | Pc::JudgeThird | Pc::Promote => {
                fine.judge
            }
            Pc::Begin | Pc::BeginPosition | Pc::LookAfterBegin => fine.begin,
            Pc::EnterOutbox
            | Pc::InvalidateFirst
            | Pc::InvalidateSecond
            | Pc::InvalidateReturn
            | Pc::InsertPlace
            | Pc::InsertSlots
            | Pc::InsertNow
            | Pc::InsertPlaceLast
            | Pc::InsertReturn => fine.apply,
            Pc::Compute | Pc::Write | Pc::Joined | Pc::InsertCall | Pc::InsertWrite => true,
            Pc::Idle | Pc::AskContact | Pc::EnterSingleflight | Pc::AcceptOutcome | Pc::Fetch => false,
            Pc::Store => caller.key == Key::D,
        }
    }

    fn step(&mut self, p: usize, c: usize) -> Progress {
        match self.caller(p, c).pc {
            Pc::Idle | Pc::Joined => Progress::Blocked,
            Pc::AskContact => self.ask_contact(p, c),
            Pc::LoadNow => self.load_now(p, c, Pc::LookInMemory),
            Pc::LookInMemory => self.look_in_memory(p, c),
            Pc::MoveStamp => self.move_stamp(p, c),
            Pc::AskContactLast => self.ask_contact_last(p, c),
            Pc::EnterSingleflight => self.enter_singleflight(p, c),
            Pc::AcceptOutcome => self.accept_outcome(p, c),
            Pc::Fetch => self.fetch(p, c),
            Pc::AskContactToJudge => self.ask_contact_to_judge(p, c),
            Pc::AskContactJudged => self.ask_contact_judged(p, c),
            Pc::LoadNowToJudge => self.load_now(p, c, Pc::JudgeFirst),
            Pc::JudgeFirst => self.judge(p, c, 0),
            Pc::JudgeSecond => self.judge(p, c, 1),
            Pc::JudgeThird => self.judge(p, c, 2),
            Pc::Promote => self.promote(p, c),
            Pc::Begin => self.begin(p, c),
            Pc::BeginPosition => self.begin_position(p, c),
            Pc::LookAfterBegin => self.look_after_begin(p, c),
            Pc::Compute => self.compute(p, c),
            Pc::Store => self.store(p, c),
            Pc::Write => self.write(p, c),
            Pc::EnterOutbox => self.enter_outbox(p, c),
            Pc::InvalidateFirst => self.invalidate_first(p, c),
            Pc::InvalidateSecond => self.invalidate_second(p, c),
            Pc::InvalidateReturn => self.invalidate_return(p, c),
            Pc::InsertCall => self.insert_call(p, c),
            Pc::InsertPlace => self.insert_place(p, c, Pc::InsertSlots),
            Pc::InsertSlots => self.insert_slots(p, c),
            Pc::InsertNow => self.insert_now(p, c),
            Pc::InsertPlaceLast => self.insert_place(p, c, Pc::InsertReturn),
            Pc::InsertReturn => self.insert_return(p, c),
            Pc::InsertWrite => self.insert_write(p, c),
        }
    }
}
