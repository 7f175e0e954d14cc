//! Invalidations of this process on their way to the store: in one lane for each part of the store that can be out of reach
//! by itself.
//!
//! A scope waits once, however often it is invalidated, and what waits is bounded: too many scopes become one that covers
//! everything. A scope that is invalidated again while it is on its way stays inside.

mod pending;

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use self::pending::{Caller, Pending, PendingScopes};
use crate::{
    cache_padded::CachePadded,
    epoch::{Announcement, Epoch, shared::coverage::covers},
    scope::ScopeHash,
    sync::plain::{Mutex, MutexGuard, lock},
};

/// How many scopes wait at most. More become one that covers everything.
const MOST_SCOPES: usize = 1 << 16;

/// Into how many lanes scopes go, and into which of them each.
pub(crate) struct Lanes {
    pub(crate) count: usize,
    pub(crate) of: Box<dyn Fn(ScopeHash) -> usize + Send + Sync>,
    /// Into which one goes what lies under a key besides its entry.
    pub(crate) beneath: Box<dyn Fn(&str) -> usize + Send + Sync>,
}

/// A scope on its way.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) scope: ScopeHash,
    /// The key, where the scope is one: what else lies under it is dropped with the entry.
    pub(crate) key: Option<Arc<str>>,
    /// It stands for what lies under the key besides its entry, which is in another lane, and is no scope.
    pub(crate) is_beneath: bool,
    /// The store has all of it already: it only waits to be settled.
    pub(crate) is_delivered: bool,
    /// Whether it is the key of a new entry, which its call is to prove from here on.
    pub(crate) is_replaced: bool,
    /// What is left in the place of the generation of such a key.
    pub(crate) mark: Option<u64>,
    /// Which of the scope's invalidations it was.
    version: u64,
}

pub(crate) struct Queue {
    /// How many scopes are inside: while there are none, a look takes no lock.
    inside: CachePadded<AtomicU64>,
    state: Mutex<PendingScopes>,
    lanes: Lanes,
    /// There is something to take from a lane.
    waits: Vec<Notify>,
}

impl Queue {
    pub(super) fn new(lanes: Lanes) -> Self {
        let waiting = (0..lanes.count).map(|_| VecDeque::new()).collect();
        Self {
            inside: CachePadded::default(),
            state: Mutex::new(PendingScopes { waiting, ..PendingScopes::default() }),
            waits: (0..lanes.count).map(|_| Notify::new()).collect(),
            lanes,
        }
    }

    /// Takes in what one call invalidates. Called by the only applier, before the slots of local order.
    pub(super) fn add(
        &self,
        scopes: &[ScopeHash],
        keys: &mut dyn Iterator<Item = Arc<str>>,
    ) -> Arc<Announcement> {
        let mut state = self.state();
        let announcement = Arc::new(Announcement::default());
        let keys: Vec<_> = keys.collect();
        if state.pending.len() + scopes.len() + keys.len() > MOST_SCOPES {
            // What the store has is of no interest to others: it need not be invalidated once more.
            state.collapse_delivered((self.lanes.of)(ScopeHash::ALL) % self.lanes.count);
        }
        let overflows = state.pending.len() + scopes.len() > MOST_SCOPES;
        let all = [ScopeHash::ALL];
        let scopes = if overflows { &all[..] } else { scopes };
        let (mut callers, mut oldest) = (Vec::new(), None);
        if overflows {
            oldest = state.oldest();
            // What is on its way is covered too, and needs no end of its own.
            let pending = mem::take(&mut state.pending).into_values();
            callers.extend(pending.flat_map(|pending| pending.callers).filter(Caller::waits));
            state.callers = 0;
            state.waiting.iter_mut().for_each(VecDeque::clear);
        }
        let lane_of = |scope| (self.lanes.of)(scope) % self.lanes.count;
        let mut beneath = Vec::new();
        for key in keys.iter().filter(|_| !overflows) {
            let (scope, lane) = (ScopeHash::key(key), (self.lanes.beneath)(key) % self.lanes.count);
            if lane != lane_of(scope) {
                beneath.push((beneath_of(scope), lane, key));
            }
        }
        let left = Arc::new(AtomicU64::new((scopes.len() + beneath.len()) as u64));
        let caller = |version| Caller {
            announcement: Arc::downgrade(&announcement),
            left: left.clone(),
            version,
            is_told: false,
        };
        for &scope in scopes {
            let version = state.version + 1;
            state.add(scope, caller(version), lane_of(scope));
        }
        for (stand_in, lane, key) in beneath {
            let version = state.version + 1;
            let pending = state.add(stand_in, caller(version), lane);
            (pending.key, pending.is_beneath) = (Some(key.clone()), true);
        }
        if let Some(pending) = state.pending.get_mut(&ScopeHash::ALL).filter(|_| overflows) {
            let (version, moved) = (pending.version, callers.len());
            pending.since = oldest.or(pending.since);
            pending.callers.extend(callers.into_iter().map(|caller| Caller { version, ..caller }));
            state.callers += moved;
        }
        for key in keys {
            if let Some(pending) = state.pending.get_mut(&ScopeHash::key(&key)) {
                pending.key = Some(key);
            }
        }
        self.publish(&state);
        announcement
    }

    /// The same of keys whose entries are replaced.
    pub(super) fn add_replaced(&self, keys: &[ScopeHash]) -> Arc<Announcement> {
        // Between the two nothing is taken: see `GenerationEpochs::take`.
        let announcement = self.add(keys, &mut std::iter::empty());
        let mut state = self.state();
        for key in keys {
            // None if there were too many.
            if let Some(pending) = state.pending.get_mut(key) {
                pending.is_replaced = true;
            }
        }
        announcement
    }

    /// Tells the lanes that there is something to take.
    pub(super) fn ring(&self) {
        self.waits.iter().for_each(Notify::notify_one);
    }

    /// Whether any of these scopes, a set, or everything, is inside.
    pub(super) fn covers(&self, scopes: &[ScopeHash]) -> bool {
        if self.inside.load(Ordering::Acquire) == 0 {
            return false;
        }
        covers(&self.state().pending, scopes)
    }

    /// Whether this very scope is inside.
    pub(crate) fn has(&self, scope: ScopeHash) -> bool {
        self.state().pending.contains_key(&scope)
    }

    /// How many scopes are inside.
    pub(crate) fn len(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
    }

    /// For how long what has waited longest has: zero while nothing is inside.
    pub(crate) fn stalled(&self) -> Duration {
        match self.len() {
            0 => Duration::ZERO,
            _ => self.state().oldest().map_or(Duration::ZERO, |oldest| oldest.elapsed()),
        }
    }

    /// Returns when there is something to take from a lane, or may be.
    pub(crate) async fn wait(&self, lane: usize) {
        self.waits[lane].notified().await;
    }

    /// Takes what waits in a lane.
    pub(super) fn take(&self, lane: usize, most: usize) -> Vec<Taken> {
        let mut state = self.state();
        let PendingScopes { pending, waiting, .. } = &mut *state;
        let count = waiting[lane].len().min(most);
        let scopes = waiting[lane].drain(..count);
        let taken = scopes.filter_map(|scope| {
            let pending = pending.get_mut(&scope)?;
            pending.is_waiting = false;
            let Pending { version, is_replaced, is_beneath, is_delivered, .. } = *pending;
            let key = pending.key.take();
            Some(Taken { scope, key, is_beneath, is_delivered, is_replaced, mark: None, version })
        });
        taken.collect()
    }

    /// It was not delivered to the store, or may not have been: it waits again.
    pub(crate) fn give_back(&self, lane: usize, taken: &[Taken]) {
        let mut state = self.state();
        let PendingScopes { pending, waiting, .. } = &mut *state;
        for Taken { scope, key, .. } in taken.iter().rev() {
            let Some(pending) = pending.get_mut(scope) else { continue };
            pending.key = pending.key.take().or_else(|| key.clone());
            // If it was invalidated again it waits already.
            if !mem::replace(&mut pending.is_waiting, true) {
                waiting[lane].push_front(*scope);
            }
        }
    }

    /// The store has what was taken: all who look from now on see it. Tells the callers that have nothing else inside.
    pub(crate) fn tell(&self, taken: &[Taken], at: Epoch) {
        let mut state = self.state();
        let mut told = Vec::new();
        for Taken { scope, version, mark, .. } in taken {
            let Some(pending) = state.pending.get_mut(scope) else { continue };
            pending.is_delivered |= pending.version == *version;
            for caller in
                pending.callers.iter_mut().filter(|caller| caller.version <= *version && !caller.is_told)
            {
                caller.is_told = true;
                // What an earlier call inserted is replaced already.
                if let (Some(mark), Some(announcement), true) =
                    (*mark, caller.announcement.upgrade(), caller.version == *version)
                {
                    announcement.add_mark(*scope, mark);
                }
                if caller.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    told.extend(caller.announcement.upgrade());
                }
            }
        }
        drop(state);
        told.iter().for_each(|announcement| announcement.set_named(at));
    }

    /// What was taken leaves, unless it was invalidated again.
    pub(super) fn settle(&self, taken: &[Taken]) {
        let (mut state, now) = (self.state(), Instant::now());
        let mut done = Vec::new();
        for Taken { scope, version, .. } in taken {
            let Some(pending) = state.pending.get_mut(scope) else { continue };
            let before = pending.callers.len();
            let callers = pending.callers.extract_if(.., |caller| caller.version <= *version);
            done.extend(callers.filter(|caller| caller.left.load(Ordering::Relaxed) == 0));
            let gone = before - pending.callers.len();
            pending.since = Some(now);
            if pending.version == *version {
                state.pending.remove(scope);
            }
            state.callers -= gone;
        }
        self.publish(&state);
        drop(state);
        // No lock is held while callers are woken.
        done.iter().filter_map(|caller| caller.announcement.upgrade()).for_each(|call| call.set_echoed());
    }

    #[cfg(all(test, not(larder_loom)))]
    pub(super) fn callers(&self) -> usize {
        let state = self.state();
        let counted = state.pending.values().map(|pending| pending.callers.len()).sum();
        assert_eq!(state.callers, counted, "none is missed");
        counted
    }

    /// As if all that is inside had come so much earlier.
    #[cfg(all(test, not(larder_loom)))]
    pub(super) fn age(&self, by: Duration) {
        let mut state = self.state();
        state.pending.values_mut().for_each(|pending| pending.since = pending.since.map(|since| since - by));
    }

    /// Publishes how many are inside. The slots were filled before whatever left.
    fn publish(&self, state: &PendingScopes) {
        self.inside.store(state.pending.len() as u64, Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, PendingScopes> {
        lock(&self.state)
    }
}

/// What stands for what lies under a key besides its entry, among scopes. It covers nothing.
fn beneath_of(key: ScopeHash) -> ScopeHash {
    ScopeHash::key(&format!("\0beneath:{:016x}", key.get()))
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("inside", &self.len()).finish_non_exhaustive()
    }
}
