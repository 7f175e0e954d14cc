//! One state of the whole system.

use super::config::Config;
use super::scope::{Key, Scopes};
use super::server::{FIRST_ID, Record, Server};
use super::value::{Mask, Value};

/// Callers that a process has at most.
pub(crate) const CALLERS: usize = 3;

/// Records that one read of the log returns at most.
pub(crate) const BATCH: usize = 2;

/// Where a caller stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Pc {
    #[default]
    Idle,
    AskContact,
    LoadNow,
    LookInMemory,
    MoveStamp,
    /// Where it must not be asked: after the look.
    AskContactLast,
    EnterSingleflight,
    Joined,
    AcceptOutcome,
    Fetch,
    AskContactToJudge,
    LoadNowToJudge,
    JudgeFirst,
    JudgeSecond,
    JudgeThird,
    AskContactJudged,
    Promote,
    Begin,
    BeginPosition,
    LookAfterBegin,
    Compute,
    Store,
    Write,
    EnterOutbox,
    InvalidateFirst,
    InvalidateSecond,
    InvalidateReturn,
    InsertCall,
    InsertPlace,
    InsertSlots,
    InsertNow,
    /// Where it must not be placed: after the change.
    InsertPlaceLast,
    InsertReturn,
    InsertWrite,
}

/// The computation of `d`, set aside while it reads `k`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Outer {
    pub(crate) value: Value,
    pub(crate) heard: Mask,
    pub(crate) joins_any: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) pc: Pc,
    pub(crate) key: Key,
    pub(crate) value: Value,
    /// The `now` that was loaded, or the counter that a change is about to get.
    pub(crate) now: u8,
    /// The memory entry was replaced since it was looked at: its stamp is out of reach.
    pub(crate) detached: bool,
    /// What is judged in log order lies in memory: local order refused it.
    pub(crate) in_memory: bool,
    /// Every computation met from here on began after the caller arrived.
    pub(crate) joins_any: bool,
    /// What is found is past its `ttl`.
    pub(crate) renews: bool,
    /// What was found so: the old value, which the computation may keep.
    pub(crate) previous: Option<Value>,
    /// What is being invalidated.
    pub(crate) scope: Scopes,
    /// An insert found nothing that covered its value since it began.
    pub(crate) keeps: bool,
    /// Ghost: the invalidation being called.
    pub(crate) calls: Mask,
    /// Ghost: what the process had heard when this read started.
    pub(crate) heard: Mask,
    /// Ghost: an insert into `k` had returned when this read of `k` started.
    pub(crate) must_show: bool,
    pub(crate) outer: Option<Outer>,
}

/// How far an outbox entry has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Sending {
    #[default]
    Empty,
    /// The call is under way: judged by, not yet appended.
    Entered,
    Queued,
    /// Appended; the reply is on its way.
    Sent(u8),
    /// A record of ours was read back whose ID the reply has yet to confirm.
    Echoed(u8),
    /// The reply named the record's ID; its echo is awaited.
    Named(u8),
}

/// The outbox's entry of one scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) sending: Sending,
    /// The ID of an append that was under way when the scope was added again: 0 for none.
    pub(crate) older: u8,
    /// Ghost: what that append carries.
    pub(crate) older_sent: Mask,
    /// Ghost: all that this process ever invalidated with this scope.
    pub(crate) carries: Mask,
    /// The part of it that is inside, or was within the last minute.
    pub(crate) remembered: Mask,
    /// Ghost: the part of it in the append under way.
    pub(crate) sent: Mask,
}

/// Why a process starts anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Cause {
    #[default]
    Start,
    Gap,
    Loss,
    Replica,
}

/// Where the log's reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum At {
    #[default]
    Read,
    Check,
    Lock,
    RaiseLocal,
    RaiseLog,
    RaiseNow,
    Leave,
    Position,
    Tip,
    StartFloor,
    StartLocal,
    StartNow,
    StartPosition,
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Follower {
    pub(crate) at: At,
    pub(crate) cause: Cause,
    pub(crate) batch: [Record; BATCH],
    pub(crate) len: u8,
    pub(crate) next: u8,
    pub(crate) tip: u8,
    pub(crate) target: u8,
    /// The read reaches the tip, and was sent within the limit: applied, it proves contact.
    pub(crate) proves: bool,
    /// The read reaches the tip: the scopes whose records were named when it was sent.
    pub(crate) named: u8,
    /// Ghost: what this read tells the process, once it is applied.
    pub(crate) tells: Mask,
}

/// Who holds a process' applier lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Lock {
    #[default]
    Free,
    Follower,
    Caller(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Process {
    pub(crate) now: u8,
    pub(crate) local: [u8; Scopes::COUNT],
    pub(crate) log: [u8; Scopes::COUNT],
    pub(crate) position: u8,
    pub(crate) reset_floor: u8,
    pub(crate) start_floor: u8,
    pub(crate) outbox: [Pending; Scopes::COUNT],
    pub(crate) memory: [Option<Value>; 2],
    /// The caller that leads the computation of each key.
    pub(crate) leaders: [Option<u8>; 2],
    pub(crate) lock: Lock,
    pub(crate) callers: [Caller; CALLERS],
    pub(crate) follower: Follower,
    /// The backward read goes on below this ID: 0 when there is none.
    pub(crate) backward: u8,
    pub(crate) linked: bool,
    /// The new start that this connection needs is done.
    pub(crate) ready: bool,
    /// Something was appended since.
    pub(crate) has_appended: bool,
    pub(crate) replid: u8,
    /// What proved contact last was sent within the limit.
    pub(crate) in_contact: bool,
    /// Ghost: the invalidations that reads of this process must not contradict.
    pub(crate) heard: Mask,
    /// Ghost: an insert into `k` has returned, and nothing that covers `k` was changed since.
    pub(crate) shows: bool,
    /// Ghost: the invalidations that were delivered longer ago than the limit.
    pub(crate) due: Mask,
}

impl Process {
    /// The invalidations that a read which starts now must not contradict.
    pub(crate) fn expected(&self, config: &Config) -> Mask {
        self.heard | if config.bypass { self.due } else { 0 }
    }

    pub(crate) fn newest_local(&self, scopes: Scopes) -> u8 {
        scopes.indices().map(|index| self.local[index]).max().unwrap_or(0)
    }

    pub(crate) fn newest_in_log(&self, scopes: Scopes) -> u8 {
        scopes.indices().map(|index| self.log[index]).max().unwrap_or(0)
    }

    pub(crate) fn floor(&self) -> u8 {
        self.reset_floor.max(self.start_floor)
    }

    /// The highest epoch seen, slots included.
    pub(crate) fn highest(&self) -> u8 {
        let slots = self.log.into_iter().max().unwrap_or(0);
        slots.max(self.position).max(self.floor())
    }

    /// The scopes whose records are named, and not read back.
    pub(crate) fn named(&self) -> u8 {
        let is_named = |index: &usize| matches!(self.outbox[*index].sending, Sending::Named(_));
        (0..Scopes::COUNT).filter(is_named).fold(0, |mask, index| mask | 1 << index)
    }

    pub(crate) fn online(&self) -> bool {
        self.linked && self.ready
    }

    /// Puts a value into memory, out of reach of those who hold what was there.
    pub(crate) fn keep(&mut self, key: Key, value: Value) {
        self.memory[key as usize] = Some(value);
        for caller in &mut self.callers {
            let judges = matches!(caller.pc, Pc::JudgeFirst | Pc::JudgeSecond | Pc::JudgeThird);
            if caller.key == key && (caller.pc == Pc::MoveStamp || judges && caller.in_memory) {
                caller.detached = true;
            }
        }
    }
}

/// How often each bounded thing has happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) computations: u8,
    pub(crate) inserts: u8,
    pub(crate) trims: u8,
    pub(crate) losses: u8,
    pub(crate) failovers: u8,
    pub(crate) put_backs: u8,
    pub(crate) restarts: u8,
    pub(crate) drops: u8,
    pub(crate) silences: u8,
    pub(crate) minutes: u8,
}

/// What an observer outside the system knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ghost {
    /// Invalidations called so far.
    pub(crate) called: Mask,
    /// What each of them covers.
    pub(crate) scopes: [Scopes; 4],
    /// Those of which an append was acknowledged.
    pub(crate) acknowledged: Mask,
    /// The highest ID there ever was.
    pub(crate) highest: u8,
}

impl Ghost {
    /// The invalidations called so far that touch any of these scopes.
    pub(crate) fn covering(&self, scopes: Scopes) -> Mask {
        (0..self.called.count_ones() as usize)
            .filter(|&index| self.scopes[index].meets(scopes))
            .fold(0, |mask, index| mask | 1 << index)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) server: Server,
    /// A replica that stopped receiving: what a failover brings back.
    pub(crate) replica: Option<Server>,
    pub(crate) processes: [Process; 2],
    pub(crate) spent: Spent,
    pub(crate) ghost: Ghost,
}

impl State {
    /// Ghost: what was appended by records whose replies have not come.
    pub(crate) fn sent(&self) -> Mask {
        let outboxes = self.processes.iter().flat_map(|process| &process.outbox);
        outboxes.fold(0, |mask, pending| match pending.sending {
            Sending::Sent(_) | Sending::Echoed(_) => mask | pending.sent | pending.older_sent,
            _ => mask | pending.older_sent,
        })
    }

    /// Both processes in contact, nothing invalidated yet.
    pub(crate) fn initial(config: &Config) -> Self {
        let mut server = Server::new();
        let value = Value { scopes: Key::K.scopes(), ..Value::default() };
        if config.stored {
            server.entries[Key::K as usize] = Some(Value { epoch: FIRST_ID, ..value });
        }
        let process = Process {
            position: FIRST_ID,
            start_floor: FIRST_ID,
            linked: true,
            ready: true,
            in_contact: true,
            has_appended: true,
            ..Process::default()
        };
        let mut processes = [process; 2];
        for (process, warm) in processes.iter_mut().zip(config.warm) {
            process.memory[Key::K as usize] = warm.then_some(value);
        }
        let ghost = Ghost { highest: FIRST_ID, ..Ghost::default() };
        Self {
            server,
            replica: config.faults.lagging.then_some(server),
            processes,
            spent: Spent::default(),
            ghost,
        }
    }
}
