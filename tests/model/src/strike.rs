//! What a fault does to the system.

use super::event::Event;
use super::fault::Fault;
use super::mutant::Mutant;
use super::state::{At, Cause, Follower, Process, Sending};
use super::step::Step;

impl Step<'_> {
    pub(crate) fn strike(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Trim => {
                self.state.spent.trims += 1;
                self.state.server.trim()
            }
            Fault::Lose { rising } => {
                self.state.spent.losses += 1;
                self.state.server.lose_log();
                self.set_clock(rising);
                true
            }
            Fault::ReplicaLags => {
                self.state.replica = Some(self.state.server);
                true
            }
            Fault::Failover { rising } => self.fail_over(rising),
            Fault::PutBack => self.put_back(),
            Fault::Drop(p) => {
                self.state.spent.drops += 1;
                self.disconnect(p.into());
                true
            }
            Fault::Reconnect(p) => self.reconnect(p.into()),
            Fault::Restart(p) => {
                self.state.spent.restarts += 1;
                self.restart(p.into());
                true
            }
            Fault::Silence(p) => self.silence(p.into()),
            Fault::Minute => {
                self.state.spent.minutes += 1;
                self.forget()
            }
        }
    }

    /// What has left the outboxes is forgotten.
    fn forget(&mut self) -> bool {
        let mut forgot = false;
        for process in &mut self.state.processes {
            for pending in &mut process.outbox {
                if pending.sending == Sending::Empty && pending.remembered != 0 {
                    pending.remembered = 0;
                    forgot = true;
                }
            }
        }
        forgot
    }

    fn set_clock(&mut self, rising: bool) {
        self.state.server.clock = if rising { self.state.ghost.highest + 1 } else { 0 };
    }

    fn put_back(&mut self) -> bool {
        self.state.spent.put_backs += 1;
        let Some(copy) = self.state.replica.take() else { return false };
        let entries = std::mem::replace(&mut self.state.server, copy).entries;
        self.state.server.entries = entries;
        self.set_clock(true);
        true
    }

    fn fail_over(&mut self, rising: bool) -> bool {
        self.state.spent.failovers += 1;
        let replid = self.state.server.replid + 1;
        if let Some(replica) = self.state.replica.take() {
            let entries = self.state.server.entries;
            self.state.server = replica;
            if self.config.entries_elsewhere {
                self.state.server.entries = entries;
            }
        }
        self.state.server.replid = replid;
        self.set_clock(rising);
        for p in 0..2 {
            self.disconnect(p);
        }
        true
    }

    /// What was read and checked is applied still; what was only read is forgotten.
    fn disconnect(&mut self, p: usize) {
        let process = self.process(p);
        process.linked = false;
        process.backward = 0;
        if process.follower.at == At::Check {
            process.follower = Follower::default();
        }
        for pending in &mut process.outbox {
            pending.older = 0;
            pending.older_sent = 0;
            if let Sending::Sent(_) | Sending::Echoed(_) = pending.sending {
                pending.sending = Sending::Queued;
            }
        }
    }

    fn reconnect(&mut self, p: usize) -> bool {
        let replid = self.state.server.replid;
        let unnoticed = self.is(Mutant::ReplicaNotNoticed);
        let process = self.process(p);
        if !matches!(process.follower.at, At::Read | At::Tip | At::Reset) {
            return false;
        }
        process.linked = true;
        if process.replid != replid && !unnoticed {
            process.replid = replid;
            process.ready = false;
            self.saw(Event::ReplicaFound);
            self.starts_anew(p, At::Tip, Cause::Replica);
        }
        true
    }

    /// Whatever proved contact so far, or is under way to do so, was sent longer ago than the limit; and so long ago
    /// was delivered what was delivered so far.
    fn silence(&mut self, p: usize) -> bool {
        let due = self.delivered();
        let process = self.process(p);
        if !process.in_contact && process.due == due {
            return false;
        }
        process.in_contact = false;
        process.follower.proves = false;
        process.due |= due;
        self.state.spent.silences += 1;
        true
    }

    fn restart(&mut self, p: usize) {
        *self.process(p) = Process {
            linked: true,
            replid: self.state.server.replid,
            follower: Follower { at: At::Tip, cause: Cause::Start, ..Follower::default() },
            ..Process::default()
        };
    }
}
