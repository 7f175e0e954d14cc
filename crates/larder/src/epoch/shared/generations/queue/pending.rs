//! The scopes that are inside, each with the calls that wait for it.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Weak, atomic::AtomicU64},
    time::Instant,
};

use foldhash::quality::RandomState;

use crate::{epoch::Announcement, scope::ScopeHash};

/// From so many callers on, and from so many as there are scopes, those that no longer wait are looked for.
const MANY_CALLERS: usize = 1 << 9;

/// The scopes that are inside.
#[derive(Default)]
pub(super) struct PendingScopes {
    pub(super) pending: HashMap<ScopeHash, Pending, RandomState>,
    /// For each lane, what waits to be taken, oldest first.
    pub(super) waiting: Vec<VecDeque<ScopeHash>>,
    pub(super) version: u64,
    /// How many callers all scopes have.
    pub(super) callers: usize,
    /// With so many, those that no longer wait are looked for.
    pub(super) most_callers: usize,
}

/// One of them.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) version: u64,
    /// When it came in, or was last delivered.
    pub(super) since: Option<Instant>,
    pub(super) is_waiting: bool,
    pub(super) is_replaced: bool,
    pub(super) is_beneath: bool,
    /// The store has it, and what it does to the counter is not known.
    pub(super) is_delivered: bool,
    pub(super) key: Option<Arc<str>>,
    pub(super) callers: Vec<Caller>,
}

/// One call.
pub(super) struct Caller {
    /// Gone, once the caller no longer waits.
    pub(super) announcement: Weak<Announcement>,
    /// How many scopes of the call are not delivered.
    pub(super) left: Arc<AtomicU64>,
    pub(super) version: u64,
    /// It knows already that others see its change.
    pub(super) is_told: bool,
}

impl PendingScopes {
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.pending.values().filter_map(|pending| pending.since).min()
    }

    pub(super) fn add(&mut self, scope: ScopeHash, caller: Caller, lane: usize) -> &mut Pending {
        self.version += 1;
        let version = self.version;
        let pending = self.pending.entry(scope).or_default();
        (pending.version, pending.is_replaced, pending.is_delivered) = (version, false, false);
        pending.since.get_or_insert_with(Instant::now);
        pending.callers.push(Caller { version, ..caller });
        if !mem::replace(&mut pending.is_waiting, true) {
            self.waiting[lane].push_back(scope);
        }
        self.callers += 1;
        if self.callers >= self.most_callers {
            self.forget_gone();
        }
        self.pending.entry(scope).or_default()
    }

    /// Those who no longer wait are forgotten: the store may be away for days. Each time for as many calls as that looks at.
    fn forget_gone(&mut self) {
        self.callers = 0;
        for Pending { callers, .. } in self.pending.values_mut() {
            callers.retain(Caller::waits);
            callers.shrink_to_fit();
            self.callers += callers.len();
        }
        self.most_callers = (self.pending.len() + 2 * self.callers).max(MANY_CALLERS);
    }

    /// Makes one of what is delivered, and waits only to be settled: it covers everything in this process, until that is settled,
    /// and others hear nothing of it.
    pub(super) fn collapse_delivered(&mut self, lane: usize) {
        let is_delivered = |scope: &ScopeHash, pending: &mut Pending| {
            *scope != ScopeHash::ALL && pending.is_delivered && !pending.is_waiting
        };
        let delivered: Vec<_> = self.pending.extract_if(is_delivered).collect();
        if delivered.is_empty() {
            return;
        }
        self.version += 1;
        let version = self.version;
        let is_new = !self.pending.contains_key(&ScopeHash::ALL);
        let all = self.pending.entry(ScopeHash::ALL).or_default();
        // One of a call that is not delivered stays what it is.
        all.is_delivered |= is_new;
        all.version = version;
        all.since = delivered.iter().filter_map(|(_, pending)| pending.since).chain(all.since).min();
        let callers = delivered.into_iter().flat_map(|(_, pending)| pending.callers);
        all.callers.extend(callers.map(|caller| Caller { version, ..caller }));
        if !mem::replace(&mut all.is_waiting, true) {
            self.waiting[lane].push_back(ScopeHash::ALL);
        }
    }
}

impl Caller {
    pub(super) fn waits(&self) -> bool {
        self.announcement.strong_count() > 0
    }
}
