//! What one search lets happen, and how often.

use super::event::Event;
use super::scope::Scopes;

/// How a computation of `d` reads `k`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nested {
    /// `get_or_compute`: a miss computes `k` too.
    GetOrCompute,
    /// `get`: a miss is an answer.
    Get,
}

/// Where callers and appliers may be interrupted; elsewhere a step runs through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fine {
    /// Within a memory hit.
    pub hit: bool,
    /// Within the judgement of a Redis entry, and before its promotion.
    pub judge: bool,
    /// Between the two loads at the begin of a computation.
    pub begin: bool,
    /// Between slots, `now` and position.
    pub apply: bool,
    /// Between a read of the log and its check.
    pub check: bool,
    /// Within a new start.
    pub start: bool,
}

impl Fine {
    pub(crate) const COARSE: Self =
        Self { hit: false, judge: false, begin: false, apply: false, check: false, start: false };
}

/// How often each fault may strike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// The oldest record is trimmed.
    pub trims: u8,
    /// The log is deleted, evicted or flushed.
    pub losses: u8,
    /// A replica that lags becomes the master.
    pub failovers: u8,
    /// The log becomes what a copy of it was, on the same server.
    pub put_backs: u8,
    /// The replica lags from the first; else it begins to at any time.
    pub lagging: bool,
    /// A process restarts.
    pub restarts: u8,
    /// A process' connections break.
    pub drops: u8,
    /// A process' last contact with the log becomes older than the limit.
    pub silences: u8,
    /// A minute passes: the outboxes forget what was read back.
    pub minutes: u8,
    /// IDs made after a loss or a failover are above all earlier ones.
    pub rising: bool,
    /// They may also be below.
    pub falling: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        trims: 0,
        losses: 0,
        failovers: 0,
        put_backs: 0,
        lagging: false,
        restarts: 0,
        drops: 0,
        silences: 0,
        minutes: 0,
        rising: true,
        falling: false,
    };
}

/// One bounded system, searched to the end.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Names the search in its test and its trace.
    pub name: &'static str,
    /// Callers under way at once, in each process.
    pub callers: [u8; 2],
    /// Whether Redis is there: the log, its readers and the entries.
    pub redis: bool,
    /// The processes that follow the log; one that does not is as slow as can be.
    pub follows: [bool; 2],
    /// Whether entries are kept in Redis.
    pub shared: bool,
    /// The keys that the callers of each process read, as their key scopes.
    pub reads: [Scopes; 2],
    /// The keys that the callers of each process compute with an old value in hand.
    pub renews: [Scopes; 2],
    /// What each process may invalidate.
    pub invalidates: [Scopes; 2],
    /// Invalidations in all, inserts included.
    pub invalidations: u8,
    /// Computations in all, inserts included.
    pub computations: u8,
    /// Inserts of `k` in all, by process 0.
    pub inserts: u8,
    /// Callers join each other's computations.
    pub singleflight: bool,
    /// How `d` reads `k`.
    pub nested: Nested,
    /// The processes whose memory holds `k` at first.
    pub warm: [bool; 2],
    /// Redis holds `k` at first.
    pub stored: bool,
    /// The start floor is lowered by reading the log backwards.
    pub backward: bool,
    /// Entries lie on another server than the log, as in a cluster: no failover of the log touches them.
    pub entries_elsewhere: bool,
    /// Nothing is served whose process has been out of contact with the log for longer than the limit.
    pub bypass: bool,
    /// Where steps may be interrupted.
    pub fine: Fine,
    /// What goes wrong.
    pub faults: Faults,
    /// What the search must have seen to mean anything.
    pub expects: &'static [Event],
}

impl Config {
    /// The same with one more computation, with one more invalidation, and with one more of each
    /// fault that there is.
    #[must_use]
    pub fn deeper(&self) -> Vec<Self> {
        let mut deeper = vec![
            Self { computations: self.computations + 1, ..*self },
            Self { invalidations: self.invalidations + 1, ..*self },
        ];
        let more = |count: u8| if count == 0 { 0 } else { count + 1 };
        let faults = Faults {
            trims: more(self.faults.trims),
            losses: more(self.faults.losses),
            failovers: more(self.faults.failovers),
            put_backs: more(self.faults.put_backs),
            restarts: more(self.faults.restarts),
            drops: more(self.faults.drops),
            silences: more(self.faults.silences),
            minutes: self.faults.minutes,
            ..self.faults
        };
        if faults != self.faults {
            deeper.push(Self { faults, ..*self });
        }
        deeper
    }
}
