//! Invalidations of this process on their way into the log: from the call to the echo.
//!
//! A scope enters when it is invalidated, and before anything else is done about that; it leaves when the
//! record that carries it is read back from the log. In between it counts against every entry of the server. A
//! failed append leaves it waiting. Each append is an *attempt* with a number of its own, which stands in the
//! record: an older reply or echo never takes out what was added since.

use std::{
    collections::{HashMap, VecDeque},
    fmt, mem,
    sync::{
        Arc,
        atomic::{self, AtomicBool},
    },
    time::{Duration, Instant},
};

use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;
use tokio::sync::Notify;

use super::Epoch;
use crate::{
    mutant,
    scope::{self, ScopeHash},
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// How many scopes wait at most. More become one that covers everything.
const MOST_SCOPES: usize = 1 << 16;

/// How many bytes of keys are remembered at most, for their entries to be deleted. To delete them frees memory,
/// and is no part of the one rule.
const MOST_KEY_BYTES: usize = 16 << 20;

/// How many scopes one attempt takes along at most: 8 KiB of them, so that what a reader takes at once stays
/// within bounds.
const MOST_AT_ONCE: usize = 1 << 10;

/// How many attempts somebody is told of at most, while nothing is read back.
const MOST_UNDER_WAY: usize = 1 << 12;

/// For how long what was read back is remembered, to append it again after a failover that lost it.
const REMEMBERED: Duration = Duration::from_secs(60);

/// See the module's own words.
#[derive(Default)]
pub(crate) struct Outbox {
    /// How many scopes are inside: while there are none, nobody takes the lock to look.
    inside: CachePadded<AtomicU64>,
    state: Mutex<State>,
    /// Somebody should send.
    waits: Notify,
}

#[derive(Default)]
struct State {
    pending: HashMap<ScopeHash, Pending, RandomState>,
    waiting: Waiting,
    under_way: HashMap<u64, Vec<Arc<Announcement>>>,
    /// The number of the last attempt.
    attempt: u64,
    /// What has left, and when. What is inside needs no remembering, however long it waits.
    recent: VecDeque<(Instant, ScopeHash)>,
    /// When there was too much to remember: what is remembered from then on is "everything".
    overflowed: Option<Instant>,
}

/// A scope in the outbox.
#[derive(Default)]
struct Pending {
    /// The attempt that carries it, since it was last added.
    attempt: Option<u64>,
}

/// What the next attempt takes along.
#[derive(Default)]
struct Waiting {
    scopes: Vec<ScopeHash>,
    keys: Vec<Arc<str>>,
    key_bytes: usize,
    announcements: Vec<Arc<Announcement>>,
}

/// What one attempt appends.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Its number.
    pub(crate) attempt: u64,
    /// What was invalidated.
    pub(crate) scopes: Vec<ScopeHash>,
    /// Single keys among it, whose entries may be deleted.
    pub(crate) keys: Vec<Arc<str>>,
}

/// How far one invalidation has come. It is told to whoever called it.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    epoch: atomic::AtomicU64,
    echoed: AtomicBool,
    changed: Notify,
}

impl Announcement {
    /// The epoch of the record, once the server has named it.
    pub(crate) async fn named(&self) -> Epoch {
        self.wait_for(|| {
            Some(Epoch(self.epoch.load(atomic::Ordering::Acquire))).filter(|epoch| *epoch != Epoch::ZERO)
        })
        .await
    }

    /// Returns when the record was read back from the log.
    pub(crate) async fn echoed(&self) {
        self.wait_for(|| self.echoed.load(atomic::Ordering::Acquire).then_some(())).await;
    }

    async fn wait_for<R>(&self, look: impl Fn() -> Option<R>) -> R {
        loop {
            // Before the look: what comes after it wakes this one.
            let changed = self.changed.notified();
            match look() {
                Some(found) => return found,
                None => changed.await,
            }
        }
    }

    fn set_named(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, atomic::Ordering::Release);
        self.changed.notify_waiters();
    }

    fn set_echoed(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, atomic::Ordering::Release);
        self.echoed.store(true, atomic::Ordering::Release);
        self.changed.notify_waiters();
    }
}

impl Outbox {
    /// Takes in scopes, and the keys of those that are single keys. Called by the only applier, before the
    /// slots; it calls [`ring`](Self::ring) once the change is done.
    pub(crate) fn add(
        &self,
        scopes: &[ScopeHash],
        keys: impl IntoIterator<Item = Arc<str>>,
    ) -> Arc<Announcement> {
        let announcement = Arc::new(Announcement::default());
        let mut state = lock(&self.state);
        for &scope in scopes {
            state.add(scope);
        }
        state.waiting.add_keys(keys);
        state.waiting.add_announcement(announcement.clone());
        self.settle(state);
        announcement
    }

    /// Tells the sender that there is something to send.
    pub(crate) fn ring(&self) {
        self.waits.notify_one();
    }

    /// Whether any of these scopes, a set, or everything, is inside.
    pub(crate) fn covers(&self, scopes: &[ScopeHash]) -> bool {
        if self.inside.load(Ordering::Acquire) == 0 {
            return false;
        }
        let state = lock(&self.state);
        let inside = |scope| state.pending.contains_key(scope);
        // Whichever is less: an entry may have thousands of scopes, and the lock is one for all.
        let covered = || match state.pending.len() < scopes.len() {
            true => state.pending.keys().any(|pending| scope::contains(scopes, *pending)),
            false => scopes.iter().any(inside),
        };
        inside(&ScopeHash::ALL) || covered()
    }

    /// How many scopes are inside.
    pub(crate) fn len(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
    }

    /// Returns when there is something to send, or may be.
    pub(crate) async fn wait(&self) {
        self.waits.notified().await;
    }

    /// Takes out what waits, or as much of it as goes into one record, for one attempt to append it. Called
    /// as the only applier, so that no change is on its way that is half done: see
    /// [`Epochs::take`](super::Epochs::take).
    pub(crate) fn take(&self) -> Option<Parcel> {
        let mut state = lock(&self.state);
        if state.waiting.scopes.is_empty() {
            return None;
        }
        let (scopes, keys, announcements) = state.waiting.take();
        state.attempt += 1;
        let attempt = state.attempt;
        for scope in &scopes {
            if let Some(pending) = state.pending.get_mut(scope) {
                pending.attempt = Some(attempt);
            }
        }
        if state.under_way.len() < MOST_UNDER_WAY {
            state.under_way.insert(attempt, announcements);
        }
        Some(Parcel { attempt, scopes, keys })
    }

    /// The server said what epoch an attempt has.
    pub(crate) fn named(&self, attempt: u64, epoch: Epoch) {
        let state = lock(&self.state);
        if let Some(announcements) = state.under_way.get(&attempt) {
            announcements.iter().for_each(|announcement| announcement.set_named(epoch));
        }
    }

    /// An attempt failed, or may have: what it carried waits again.
    pub(crate) fn failed(&self, parcel: Parcel) {
        let mut state = lock(&self.state);
        if mutant::is("failed-append-forgotten") {
            parcel.scopes.iter().for_each(|scope| _ = state.pending.remove(scope));
        }
        let State { pending, waiting, under_way, .. } = &mut *state;
        for scope in parcel.scopes {
            if let Some(inside) =
                pending.get_mut(&scope).filter(|inside| inside.attempt == Some(parcel.attempt))
            {
                inside.attempt = None;
                waiting.scopes.push(scope);
            }
        }
        waiting.add_keys(parcel.keys);
        waiting.announcements.extend(under_way.remove(&parcel.attempt).unwrap_or_default());
        self.settle(state);
        self.waits.notify_one();
    }

    /// The record of an attempt, with these scopes, was read back, and is in the slots.
    pub(crate) fn echo(&self, attempt: u64, scopes: &[ScopeHash], epoch: Epoch) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.forget_old(now);
        for scope in scopes {
            if state.pending.get(scope).is_some_and(|inside| inside.attempt == Some(attempt)) {
                state.pending.remove(scope);
                state.remember(now, *scope);
            }
        }
        let announcements = state.under_way.remove(&attempt).unwrap_or_default();
        self.settle(state);
        announcements.iter().for_each(|announcement| announcement.set_echoed(epoch));
    }

    /// Has everything that is inside, and everything of the last minute, appended again: whatever the server
    /// said of it, it may be lost.
    pub(crate) fn append_again(&self) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.forget_old(now);
        let State { pending, waiting, under_way, recent, overflowed, .. } = &mut *state;
        if overflowed.is_some() {
            pending.entry(ScopeHash::ALL).or_default();
        }
        for (_, scope) in recent {
            pending.entry(*scope).or_default();
        }
        for inside in pending.values_mut() {
            inside.attempt = None;
        }
        waiting.scopes = pending.keys().copied().collect();
        waiting.announcements.extend(under_way.drain().flat_map(|(_, announcements)| announcements));
        self.settle(state);
        self.waits.notify_one();
    }

    /// Publishes how many are inside. The slots were filled before whatever left.
    fn settle(&self, state: impl std::ops::Deref<Target = State>) {
        self.inside.store(state.pending.len() as u64, Ordering::Release);
    }
}

impl State {
    fn add(&mut self, scope: ScopeHash) {
        let scope = if self.pending.len() < MOST_SCOPES || self.pending.contains_key(&scope) {
            scope
        } else {
            self.pending.clear();
            self.waiting.scopes.clear();
            ScopeHash::ALL
        };
        let added = self.pending.insert(scope, Pending { attempt: None });
        if added.is_none_or(|before| before.attempt.is_some()) {
            self.waiting.scopes.push(scope);
        }
    }

    fn remember(&mut self, now: Instant, scope: ScopeHash) {
        if self.recent.len() < MOST_SCOPES {
            self.recent.push_back((now, scope));
        } else {
            self.overflowed = Some(now);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |then: &Instant| now.duration_since(*then) > REMEMBERED;
        while self.recent.front().is_some_and(|(then, _)| is_old(then)) {
            self.recent.pop_front();
        }
        self.overflowed = self.overflowed.filter(|then| !is_old(then));
    }
}

impl Waiting {
    /// As many scopes as go into one record, oldest first. The keys go with the first one, those who asked
    /// with the last one: by then all that they asked for is on its way.
    fn take(&mut self) -> (Vec<ScopeHash>, Vec<Arc<str>>, Vec<Arc<Announcement>>) {
        let rest = self.scopes.split_off(self.scopes.len().min(MOST_AT_ONCE));
        let announcements = if rest.is_empty() { mem::take(&mut self.announcements) } else { Vec::new() };
        self.key_bytes = 0;
        (mem::replace(&mut self.scopes, rest), mem::take(&mut self.keys), announcements)
    }

    fn add_keys(&mut self, keys: impl IntoIterator<Item = Arc<str>>) {
        for key in keys {
            if self.key_bytes + key.len() <= MOST_KEY_BYTES {
                self.key_bytes += key.len();
                self.keys.push(key);
            }
        }
    }

    /// Those who no longer wait are let go of, now and then.
    fn add_announcement(&mut self, announcement: Arc<Announcement>) {
        const MANY: usize = 1024;
        if self.announcements.len() >= MANY && self.announcements.len().is_power_of_two() {
            self.announcements.retain(|waited| Arc::strong_count(waited) > 1);
        }
        self.announcements.push(announcement);
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("inside", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
