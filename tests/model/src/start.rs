//! New start (rule 9) and reset (rule 10).

use super::caller::Progress;
use super::event::Event;
use super::mutant::Mutant;
use super::scope::Scopes;
use super::server::{MINUTE, Record};
use super::state::{At, Cause, Follower, Lock};
use super::step::Step;

impl Step<'_> {
    pub(crate) fn read_tip(&mut self, p: usize) -> Progress {
        let process = &self.state.processes[p];
        if !process.linked {
            return Progress::Blocked;
        }
        let server = &self.state.server;
        // The mutant's own record may leave the log below: it takes that for a reset done.
        let below = server.last < process.highest() && !self.is(Mutant::ResetAtServersId);
        if !server.log_exists || below {
            return self.reader_at(p, At::Reset);
        }
        if matches!(process.follower.cause, Cause::Replica | Cause::Loss) && !self.continues(p) {
            self.saw(Event::ReplicaIncomplete);
            let tip = self.state.server.last;
            self.process(p).follower.tip = tip;
            return self.reader_at(p, At::Reset);
        }
        let tip = server.last;
        let tells = self.delivered();
        let proves = self.config.bypass;
        let follower = &mut self.process(p).follower;
        follower.proves = proves;
        follower.tip = tip;
        follower.tells = tells;
        self.reader_at(p, At::StartFloor)
    }

    /// A replica that took its master's place has what that had up to some record, and so has a copy that was put back.
    /// Either the newest one that was seen is among it, or everything was invalidated since.
    fn continues(&self, p: usize) -> bool {
        let highest = self.state.processes[p].highest();
        let records = self.state.server.records();
        let has = |id: u8| records.iter().any(|record| record.id == id);
        let reset = |record: &Record| record.id > highest && record.scope.meets(Scopes::ALL);
        highest == 0 || has(highest) || records.iter().any(reset) || self.is(Mutant::ReplicaTakenForWhole)
    }

    pub(crate) fn start_floor(&mut self, p: usize) -> Progress {
        self.saw(Event::NewStart);
        let Follower { cause, tip, .. } = self.process(p).follower;
        let forgets = match cause {
            Cause::Start => self.is(Mutant::NoFloorAtStart),
            Cause::Gap => self.is(Mutant::NoFloorAfterTrim),
            Cause::Loss | Cause::Replica => false,
        };
        if !forgets {
            self.process(p).start_floor = tip;
        }
        let silent = self.is(Mutant::FloorWithoutLocalChange);
        self.reader_at(p, if silent { At::StartPosition } else { At::StartLocal })
    }

    pub(crate) fn start_local(&mut self, p: usize) -> Progress {
        if !self.lock(p, Lock::Follower) {
            return Progress::Blocked;
        }
        let target = self.process(p).now + 1;
        self.process(p).follower.target = target;
        self.raise_local(p, Scopes::ALL, target);
        self.reader_at(p, At::StartNow)
    }

    pub(crate) fn start_now(&mut self, p: usize) -> Progress {
        let process = self.process(p);
        process.now = process.follower.target;
        self.unlock(p);
        self.reader_at(p, At::StartPosition)
    }

    pub(crate) fn start_position(&mut self, p: usize) -> Progress {
        let backward = self.config.backward;
        self.prove_contact(p);
        let process = self.process(p);
        let Follower { tip, tells, .. } = process.follower;
        process.position = tip;
        process.heard |= tells;
        process.ready = true;
        process.has_appended = false;
        process.backward = if backward { tip + 1 } else { 0 };
        process.follower = Follower::default();
        if !self.is(Mutant::NotAppendedAgain) {
            self.append_again(p);
        }
        Progress::Done
    }

    /// An explicit ID: of several processes that reset one log, one wins, and a second record
    /// above it does no harm.
    pub(crate) fn reset(&mut self, p: usize) -> Progress {
        let process = &self.state.processes[p];
        if !process.linked {
            return Progress::Blocked;
        }
        let server = &self.state.server;
        // Assumed: where IDs fall, the log is made anew by one who has seen the higher ones.
        let known = server.clock.max(process.highest());
        if !server.log_exists && known + MINUTE <= self.state.ghost.highest {
            return Progress::Blocked;
        }
        let id = if self.is(Mutant::ResetAtServersId) {
            server.next_id()
        } else {
            (server.clock.max(process.highest()) + MINUTE).max(process.follower.tip + 1)
        };
        let record = Record { scope: Scopes::ALL, ..Record::default() };
        if self.state.server.append_at(id, record) {
            self.saw(Event::ResetAppended);
            // It covers all that may be lost, whether the reply to it has come or not.
            self.state.server.appended |= self.state.ghost.acknowledged | self.state.sent();
            self.state.ghost.highest = self.state.ghost.highest.max(id);
        } else {
            self.saw(Event::ResetYielded);
        }
        self.reader_at(p, At::Tip)
    }

    /// One record further back, and the start floor with it.
    pub(crate) fn read_backwards(&mut self, p: usize) -> bool {
        let process = &self.state.processes[p];
        if !process.online() {
            return false;
        }
        let cursor = process.backward;
        let records = self.state.server.records();
        let Some(&record) = records.iter().rev().find(|record| record.id < cursor) else {
            self.process(p).backward = 0;
            return true;
        };
        self.raise_log(p, record.scope, record.id);
        self.saw(Event::StartFloorLowered);
        let lowers_reset = self.is(Mutant::BackwardReadLowersReset);
        let process = self.process(p);
        process.backward = record.id;
        process.start_floor = process.start_floor.min(record.id);
        if lowers_reset {
            process.reset_floor = process.reset_floor.min(record.id);
        }
        true
    }
}
