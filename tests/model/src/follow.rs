//! The log's reader: read, check (rule 7), apply (rule 2).

use super::caller::Progress;
use super::event::Event;
use super::mutant::Mutant;
use super::scope::Scopes;
use super::server::Record;
use super::state::{At, BATCH, Cause, Follower, Lock, Sending};
use super::step::Step;

impl Step<'_> {
    /// Runs the reader up to where it may be interrupted next.
    pub(crate) fn follow(&mut self, p: usize) -> bool {
        let mut moved = false;
        loop {
            let progress = match self.process(p).follower.at {
                At::Read => self.read_log(p),
                At::Check => self.check_log(p),
                At::Lock => self.lock_slots(p),
                At::RaiseLocal => self.raise_local_slots(p),
                At::RaiseLog => self.raise_log_slots(p),
                At::RaiseNow => self.raise_now(p),
                At::Leave => self.leave(p),
                At::Position => self.position(p),
                At::Tip => self.read_tip(p),
                At::StartFloor => self.start_floor(p),
                At::StartLocal => self.start_local(p),
                At::StartNow => self.start_now(p),
                At::StartPosition => self.start_position(p),
                At::Reset => self.reset(p),
            };
            if matches!(progress, Progress::Blocked) {
                return moved;
            }
            moved = true;
            if self.reader_pauses(p) {
                return true;
            }
        }
    }

    fn reader_pauses(&mut self, p: usize) -> bool {
        let fine = self.config.fine;
        match self.process(p).follower.at {
            At::Read | At::Tip | At::Reset => true,
            At::Check => fine.check,
            At::Lock => false,
            At::RaiseLocal | At::RaiseLog | At::RaiseNow | At::Leave | At::Position => fine.apply,
            At::StartFloor | At::StartLocal | At::StartNow | At::StartPosition => fine.start,
        }
    }

    pub(crate) fn reader_at(&mut self, p: usize, at: At) -> Progress {
        self.process(p).follower.at = at;
        Progress::Done
    }

    pub(crate) fn starts_anew(&mut self, p: usize, at: At, cause: Cause) -> Progress {
        self.process(p).follower = Follower { at, cause, ..Follower::default() };
        Progress::Done
    }

    /// `XREAD`, which passes over what was trimmed and is silent about a log that is gone.
    fn read_log(&mut self, p: usize) -> Progress {
        let process = &self.state.processes[p];
        if !process.linked {
            return Progress::Blocked;
        }
        let position = process.position;
        let mut follower = Follower { at: At::Check, ..Follower::default() };
        let records = self.state.server.records();
        let news = records.iter().filter(|record| record.id > position);
        let reaches_tip = news.clone().count() <= BATCH;
        for record in news.take(BATCH) {
            follower.batch[usize::from(follower.len)] = *record;
            follower.len += 1;
            follower.tells |= record.carries;
        }
        if reaches_tip {
            follower.named = process.named();
            follower.tells |= self.delivered();
            follower.proves = self.config.bypass;
        }
        self.process(p).follower = follower;
        Progress::Done
    }

    /// What a reader in contact with this server is expected to know.
    pub(crate) fn delivered(&self) -> u8 {
        self.state.server.appended & self.state.ghost.acknowledged
    }

    fn check_log(&mut self, p: usize) -> Progress {
        let process = &self.state.processes[p];
        if !process.linked {
            return Progress::Blocked;
        }
        let server = &self.state.server;
        let lost = !server.log_exists && !self.is(Mutant::LostLogTakenForQuiet);
        let below = server.log_exists && server.last < process.highest();
        if lost || below {
            self.saw(Event::LossFound);
            return self.starts_anew(p, At::Reset, Cause::Loss);
        }
        let first = server.records().first();
        let gap = first.is_some_and(|first| first.id > process.position);
        if gap && !self.is(Mutant::NoTrimCheck) {
            self.saw(Event::GapFound);
            return self.starts_anew(p, At::Tip, Cause::Gap);
        }
        // Its end was lost, and who has not noticed went on above it.
        let set_back =
            server.log_exists && server.records().iter().all(|record| record.id != process.position);
        if set_back && !gap && !self.is(Mutant::SetBackNotNoticed) && !self.is(Mutant::ReplicaNotNoticed) {
            self.saw(Event::SetBackFound);
            return self.starts_anew(p, At::Tip, Cause::Loss);
        }
        let Follower { len, tells, .. } = process.follower;
        if len == 0 {
            self.saw(Event::QuietRead);
            self.prove_contact(p);
            self.append_unread(p);
            let process = self.process(p);
            process.heard |= tells;
            process.follower = Follower::default();
            self.check_nothing_forgotten(p);
            return Progress::Done;
        }
        if self.is(Mutant::PositionBeforeSlots) {
            self.move_position(p);
        }
        self.next_record(p)
    }

    fn record(&self, p: usize) -> Record {
        let follower = &self.state.processes[p].follower;
        follower.batch[usize::from(follower.next)]
    }

    /// Our own invalidation was a local change when it was called: its echo is none.
    fn next_record(&mut self, p: usize) -> Progress {
        let record = self.record(p);
        let outbox = &self.process(p).outbox;
        let named = |index: usize| outbox[index].sending == Sending::Named(record.id);
        let own = usize::from(record.sender) == p + 1 && record.scope.indices().any(named);
        let silent = self.is(Mutant::FloorWithoutLocalChange) && record.scope.meets(Scopes::ALL);
        self.process(p).follower.target = 0;
        self.reader_at(p, if own || silent { At::RaiseLog } else { At::Lock })
    }

    fn lock_slots(&mut self, p: usize) -> Progress {
        if !self.lock(p, Lock::Follower) {
            return Progress::Blocked;
        }
        let process = self.process(p);
        process.follower.target = process.now + 1;
        self.reader_at(p, At::RaiseLocal)
    }

    fn raise_local_slots(&mut self, p: usize) -> Progress {
        self.saw(Event::Applied);
        let scope = self.record(p).scope;
        let target = self.process(p).follower.target;
        if self.is(Mutant::NowBeforeSlots) {
            self.process(p).now = target;
        } else {
            self.raise_local(p, scope, target);
        }
        self.reader_at(p, At::RaiseLog)
    }

    fn raise_log_slots(&mut self, p: usize) -> Progress {
        let Record { scope, id, .. } = self.record(p);
        self.raise_log(p, scope, id);
        let local = self.process(p).follower.target != 0;
        self.reader_at(p, if local { At::RaiseNow } else { At::Leave })
    }

    fn raise_now(&mut self, p: usize) -> Progress {
        let scope = self.record(p).scope;
        let target = self.process(p).follower.target;
        if self.is(Mutant::NowBeforeSlots) {
            self.raise_local(p, scope, target);
        } else {
            self.process(p).now = target;
        }
        self.unlock(p);
        self.reader_at(p, At::Leave)
    }

    fn leave(&mut self, p: usize) -> Progress {
        let record = self.record(p);
        self.leave_outbox(p, record);
        let follower = &mut self.process(p).follower;
        follower.next += 1;
        if follower.next < follower.len {
            return self.next_record(p);
        }
        self.reader_at(p, At::Position)
    }

    fn position(&mut self, p: usize) -> Progress {
        if !self.is(Mutant::PositionBeforeSlots) {
            self.move_position(p);
        }
        self.prove_contact(p);
        self.append_unread(p);
        self.process(p).follower = Follower::default();
        Progress::Done
    }

    /// Everything that was in the log when the read was sent is applied.
    pub(crate) fn prove_contact(&mut self, p: usize) {
        if self.process(p).follower.proves {
            self.saw(Event::ContactProven);
            self.process(p).in_contact = true;
        }
    }

    fn move_position(&mut self, p: usize) {
        let process = self.process(p);
        let Follower { batch, len, tells, .. } = process.follower;
        process.position = batch[usize::from(len) - 1].id;
        process.heard |= tells;
    }
}
