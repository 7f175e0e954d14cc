//! The outbox (rule 8): from call to echo.

use super::event::Event;
use super::mutant::Mutant;
use super::scope::Scopes;
use super::server::{LEAP, Record};
use super::state::Sending;
use super::step::Step;
use super::value::Mask;

impl Step<'_> {
    /// Whatever is under way for the scope counts no longer.
    pub(crate) fn add_to_outbox(&mut self, p: usize, scope: Scopes) {
        if !self.config.redis {
            return;
        }
        for index in scope.indices() {
            let process = self.process(p);
            process.follower.named &= !(1 << index);
            let pending = &mut process.outbox[index];
            let before = pending.sending;
            pending.sending = Sending::Entered;
            if let Sending::Sent(id) | Sending::Echoed(id) = before {
                pending.older = id;
                pending.older_sent = pending.sent;
            }
            if matches!(before, Sending::Sent(_) | Sending::Echoed(_) | Sending::Named(_)) {
                self.saw(Event::AddedSinceAppend);
            }
        }
    }

    /// The local change is done: only now may the echo be taken for one that needs none.
    pub(crate) fn queue(&mut self, p: usize, scope: Scopes, calls: Mask) {
        if !self.config.redis {
            return;
        }
        for index in scope.indices() {
            let pending = &mut self.process(p).outbox[index];
            pending.carries |= calls;
            pending.remembered |= calls;
            pending.sending = Sending::Queued;
        }
    }

    pub(crate) fn append(&mut self, p: usize, scope: usize) -> bool {
        let process = &self.state.processes[p];
        let carries = process.outbox[scope].remembered;
        if !process.online() {
            return false;
        }
        let record = Record { scope: Scopes::nth(scope), sender: p as u8 + 1, carries, ..Record::default() };
        let leaps = !process.has_appended && !self.is(Mutant::NoLeapAfterStart);
        let above = self.state.server.clock.max(process.position) + LEAP;
        // Refused if another one has leapt there, and then the server's own ID is above it.
        let leapt = leaps && self.state.server.log_exists && self.state.server.append_at(above, record);
        let id = if leapt { Some(above) } else { self.state.server.append(record) };
        let Some(id) = id else {
            return false;
        };
        if leapt {
            self.saw(Event::LeaptAfterStart);
        }
        self.process(p).has_appended = true;
        self.state.ghost.highest = self.state.ghost.highest.max(id);
        let pending = &mut self.process(p).outbox[scope];
        pending.sending = Sending::Sent(id);
        pending.sent = carries;
        true
    }

    pub(crate) fn reply(&mut self, p: usize, scope: usize) -> bool {
        let pending = self.process(p).outbox[scope];
        // Replies come in the order of the commands.
        if pending.older != 0 {
            return false;
        }
        self.state.ghost.acknowledged |= pending.sent;
        let Sending::Sent(id) = pending.sending else {
            self.process(p).outbox[scope].sending = Sending::Empty;
            self.saw(Event::ReplyAfterEcho);
            return true;
        };
        if self.is(Mutant::OwnReplyMovesPosition) {
            let process = self.process(p);
            process.position = process.position.max(id);
        }
        // Not read back so far: the position would not tell, because IDs may have fallen.
        self.process(p).outbox[scope].sending = Sending::Named(id);
        true
    }

    pub(crate) fn older_reply(&mut self, p: usize, scope: usize) -> bool {
        let pending = &mut self.process(p).outbox[scope];
        let id = std::mem::take(&mut pending.older);
        let sent = std::mem::take(&mut pending.older_sent);
        self.state.ghost.acknowledged |= sent;
        if self.is(Mutant::OlderReplyEmptiesOutbox) {
            self.process(p).outbox[scope].sending = Sending::Named(id);
        }
        true
    }

    /// A record was read: if it is the one that an entry waits for, the entry leaves.
    pub(crate) fn leave_outbox(&mut self, p: usize, record: Record) {
        let older_echo = self.is(Mutant::OlderEchoEmptiesOutbox);
        if usize::from(record.sender) != p + 1 {
            return;
        }
        for index in record.scope.indices() {
            let pending = &mut self.process(p).outbox[index];
            if pending.sending == Sending::Named(record.id) || older_echo {
                pending.sending = Sending::Empty;
                self.saw(Event::EchoLeft);
            } else if pending.sending == Sending::Sent(record.id) {
                pending.sending = Sending::Echoed(record.id);
            }
        }
    }

    /// What had been named when a read was sent that reached the tip, and was not read back by it, is lost, and goes out
    /// again.
    pub(crate) fn append_unread(&mut self, p: usize) {
        let named = self.process(p).follower.named & self.process(p).named();
        let mutants = [Mutant::NamedNotMissed, Mutant::NotAppendedAgain, Mutant::ReplicaNotNoticed];
        if named == 0 || mutants.into_iter().any(|mutant| self.is(mutant)) {
            return;
        }
        for index in (0..Scopes::COUNT).filter(|index| named & 1 << index != 0) {
            self.process(p).outbox[index].sending = Sending::Queued;
            self.saw(Event::UnreadAppended);
        }
    }

    /// Everything of the last minute goes out again.
    pub(crate) fn append_again(&mut self, p: usize) {
        for index in 0..Scopes::COUNT {
            let pending = &mut self.process(p).outbox[index];
            if pending.remembered != 0 && pending.sending != Sending::Entered {
                pending.sending = Sending::Queued;
                pending.older = 0;
                pending.older_sent = 0;
                self.saw(Event::AppendedAgain);
            }
        }
    }
}
