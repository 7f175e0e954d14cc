//! Invalidations of this process on their way into the log: from the call to the echo.
//!
//! A scope enters when it is invalidated, and before anything else is done about that; it leaves when the
//! record that carries it is read back from the log. In between it counts against every entry of the server. A
//! failed append leaves it waiting. Each append is an *attempt* with a number of its own, which stands in the
//! record: an older reply or echo never takes out what was added since. A record of an attempt on whose number alone
//! there is no relying any longer is recognised by the exact epoch that the store named.
//!
//! A scope waits once, however often it is invalidated. What waits is bounded: too many scopes become one that
//! covers everything.

mod callers;
mod deletions;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;
use tokio::sync::Notify;

use self::{callers::Callers, deletions::Deletions};
use super::coverage::covers;
use crate::{
    cache_padded::CachePadded,
    epoch::{Announcement, Epoch},
    mutant::{self, Rule},
    scope::ScopeHash,
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// How many scopes wait at most. More become one that covers everything.
const MOST_SCOPES: usize = 1 << 16;

/// How many scopes one attempt takes along at most: 8 KiB of them, so that what a reader takes at once stays
/// within bounds.
const MOST_AT_ONCE: usize = 1 << 10;

/// For how long what was read back is remembered, to append it again after a failover that lost it.
const REMEMBERED: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Outbox {
    /// How many scopes are inside: while there are none, a look takes no lock.
    inside: CachePadded<AtomicU64>,
    state: Mutex<OutboxState>,
    /// There is something to send.
    waits: Notify,
}

#[derive(Default)]
struct OutboxState {
    pending: HashMap<ScopeHash, Pending, RandomState>,
    /// The scopes that the next attempts take along, oldest first. Each is pending, without an attempt.
    waiting: VecDeque<ScopeHash>,
    /// The keys to be deleted behind the records.
    deletions: Deletions,
    callers: Callers,
    /// The number of the last attempt.
    attempt: u64,
    /// The number of the last one that the server has named an epoch for.
    last_named: u64,
    /// When a record was last read back, or something came in where nothing was.
    progress: Option<Instant>,
    /// What has left, and when. What is inside needs no remembering, however long it waits.
    recent: VecDeque<(Instant, ScopeHash)>,
    /// When there was too much to remember: what is remembered from then on is "everything".
    overflowed: Option<Instant>,
}

/// A scope in the outbox.
#[derive(Default, PartialEq)]
struct Pending {
    /// The attempt that carries it, since it was last added.
    attempt: Option<u64>,
    /// The epoch of that attempt's record, once the server has named it.
    epoch: Option<Epoch>,
}

/// What one attempt appends.
#[derive(Debug)]
pub(crate) struct OutboxBatch {
    /// Its number.
    pub(crate) attempt: u64,
    /// What was invalidated.
    pub(crate) scopes: Vec<ScopeHash>,
}

impl Outbox {
    /// Takes in scopes, and the keys of those that are single keys. Called by the only applier, before the
    /// slots; it calls [`ring`](Self::ring) once the change is done.
    pub(crate) fn add(
        &self,
        scopes: &[ScopeHash],
        keys: impl IntoIterator<Item = Arc<str>>,
    ) -> Arc<Announcement> {
        let mut state = lock(&self.state);
        state.begin_to_wait();
        for &scope in scopes {
            state.add(scope);
        }
        state.deletions.add(keys);
        let announcement = state.callers.latest.get_or_insert_default().clone();
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
        covers(&lock(&self.state).pending, scopes)
    }

    /// Whether this very scope is inside.
    pub(crate) fn has(&self, scope: ScopeHash) -> bool {
        self.inside.load(Ordering::Acquire) != 0 && lock(&self.state).pending.contains_key(&scope)
    }

    /// How many scopes are inside.
    pub(crate) fn len(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
    }

    /// For how long nothing that is inside has left: zero while nothing is inside.
    pub(crate) fn stalled(&self) -> Duration {
        match self.len() {
            0 => Duration::ZERO,
            _ => lock(&self.state).progress.map_or(Duration::ZERO, |progress| progress.elapsed()),
        }
    }

    /// Returns when there is something to send, or may be.
    pub(crate) async fn wait(&self) {
        self.waits.notified().await;
    }

    /// Takes out what waits, or as much of it as goes into one record, `most` scopes at most, for one attempt to
    /// append it. Called as the only applier, so that no change is on its way that is half done: see
    /// [`SharedEpochs::take`](super::SharedEpochs::take).
    pub(crate) fn take(&self, most: usize) -> Option<OutboxBatch> {
        let mut state = lock(&self.state);
        let count = state.waiting.len().min(MOST_AT_ONCE).min(most);
        if count == 0 {
            return None;
        }
        state.attempt += 1;
        let OutboxState { pending, waiting, callers, attempt, .. } = &mut *state;
        let scopes: Vec<_> = waiting.drain(..count).collect();
        for scope in &scopes {
            if let Some(pending) = pending.get_mut(scope) {
                *pending = Pending { attempt: Some(*attempt), epoch: None };
            }
        }
        if waiting.is_empty() {
            // By now all that they asked for is on its way.
            callers.set_out(*attempt);
        }
        Some(OutboxBatch { attempt: *attempt, scopes })
    }

    /// Takes out keys whose entries and counters are to be deleted, with `most` bytes of text, but one at least if
    /// any waits. What is taken out is not given back, whatever becomes of it: to delete a counter is safe once.
    pub(crate) fn take_deletions(&self, most: usize) -> Vec<Arc<str>> {
        lock(&self.state).deletions.take(most)
    }

    /// Whether any keys are to be deleted.
    pub(crate) fn has_deletions(&self) -> bool {
        !lock(&self.state).deletions.is_empty()
    }

    /// Whether there is anything to send.
    pub(crate) fn has_work(&self) -> bool {
        let state = lock(&self.state);
        !state.waiting.is_empty() || !state.deletions.is_empty()
    }

    /// The server said what epoch the record of an attempt has, with these scopes. Returns whether callers wait for it to
    /// be read back.
    pub(crate) fn named(&self, attempt: u64, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        let mut state = lock(&self.state);
        state.last_named = state.last_named.max(attempt);
        for scope in scopes {
            if let Some(inside) =
                state.pending.get_mut(scope).filter(|inside| inside.attempt == Some(attempt))
            {
                inside.epoch = Some(epoch);
            }
        }
        let is_awaited = state.callers.await_echo_of(attempt);
        let callers = state.callers.named(attempt, epoch);
        drop(state);
        // No lock is held while callers are woken.
        callers.iter().for_each(|announcement| announcement.set_named(epoch));
        is_awaited
    }

    /// Attempts that went out together failed, or may have, oldest first: what they carried waits again, before whatever
    /// else does.
    pub(crate) fn failed(&self, batches: impl IntoIterator<Item = OutboxBatch>) {
        let mut state = lock(&self.state);
        let mut again = VecDeque::new();
        // What a caller asked for may have gone out in several of them, of which it is known to the last one.
        let (mut is_whole, mut delivered) = (true, Vec::new());
        for OutboxBatch { attempt, scopes } in batches {
            let OutboxState { pending, callers, .. } = &mut *state;
            if mutant::is(Rule::FailedAppendForgotten) {
                scopes.iter().for_each(|scope| _ = pending.remove(scope));
            }
            delivered.extend(callers.come_back(attempt, is_whole));
            is_whole &= scopes.iter().all(|scope| !pending.contains_key(scope));
            for scope in scopes {
                if let Some(inside) = pending.get_mut(&scope).filter(|inside| inside.attempt == Some(attempt))
                {
                    inside.attempt = None;
                    again.push_back(scope);
                }
            }
        }
        again.append(&mut state.waiting);
        state.waiting = again;
        self.settle(state);
        self.waits.notify_one();
        for (epoch, callers) in delivered {
            callers.iter().for_each(|announcement| announcement.set_named(epoch));
        }
    }

    /// What waits is refused, and will be: its callers need not wait for that.
    pub(crate) fn refused(&self) {
        let callers = lock(&self.state).callers.waiting();
        callers.iter().for_each(|announcement| announcement.set_refused());
    }

    /// Whether the record of this attempt, with these scopes, is the one at this epoch, as far as anything of it is inside,
    /// or callers wait for it.
    pub(crate) fn is_at(&self, attempt: u64, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        if self.inside.load(Ordering::Acquire) == 0 {
            return false;
        }
        let there = Pending { attempt: Some(attempt), epoch: Some(epoch) };
        let state = lock(&self.state);
        state.callers.is_at(attempt, epoch)
            || scopes.iter().any(|scope| state.pending.get(scope) == Some(&there))
    }

    /// The record of an attempt, with these scopes, was read back, and is in the slots.
    pub(crate) fn echo(&self, attempt: u64, scopes: &[ScopeHash], epoch: Epoch) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.forget_old(now);
        // Also if all of it was invalidated again: so far it is known everywhere.
        state.progress = Some(now);
        for scope in scopes {
            if state.pending.get(scope).is_some_and(|inside| inside.attempt == Some(attempt)) {
                state.pending.remove(scope);
                state.remember(now, *scope);
            }
        }
        let callers = state.callers.echoed(attempt, epoch);
        self.settle(state);
        callers.iter().for_each(|announcement| announcement.set_echoed());
    }

    /// Has everything that is inside, and everything of the last minute, appended again: whatever the server
    /// said of it, it may be lost.
    pub(crate) fn append_again(&self) {
        let mut state = lock(&self.state);
        state.forget_old(Instant::now());
        state.begin_to_wait();
        let OutboxState { pending, recent, overflowed, .. } = &mut *state;
        if overflowed.is_some() {
            pending.entry(ScopeHash::ALL).or_default();
        }
        for (_, scope) in recent {
            pending.entry(*scope).or_default();
        }
        state.wait_again();
        self.settle(state);
        self.waits.notify_one();
    }

    /// Has what is inside appended again, as other attempts: the records of the ones so far are not recognised by their
    /// numbers any longer. But for those whose epoch is known: [`is_at`](Self::is_at) recognises them.
    pub(crate) fn disown(&self) {
        let mut state = lock(&self.state);
        let OutboxState { pending, waiting, callers, .. } = &mut *state;
        for (scope, inside) in pending {
            if inside.attempt.is_some() && inside.epoch.is_none() {
                inside.attempt = None;
                waiting.push_back(*scope);
            }
        }
        callers.unnamed_come_back();
        self.settle(state);
        self.waits.notify_one();
    }

    /// The last attempt that the server has named an epoch for.
    pub(crate) fn last_named(&self) -> u64 {
        lock(&self.state).last_named
    }

    /// Has appended again what the server named an epoch for up to this attempt, and has not been read back: all that the log
    /// had later was read, so that these records are lost.
    pub(crate) fn append_unread(&self, last_named: u64) {
        if self.inside.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = lock(&self.state);
        let OutboxState { pending, waiting, callers, .. } = &mut *state;
        let waited = waiting.len();
        for (scope, inside) in pending {
            if inside.epoch.is_some() && inside.attempt.is_some_and(|attempt| attempt <= last_named) {
                *inside = Pending::default();
                waiting.push_back(*scope);
            }
        }
        if waiting.len() > waited {
            callers.named_come_back(last_named);
            drop(state);
            self.waits.notify_one();
        }
    }

    /// As if a minute had passed.
    #[cfg(all(test, not(larder_loom)))]
    pub(crate) fn forget(&self) {
        let mut state = lock(&self.state);
        state.recent.clear();
        state.overflowed = None;
    }

    /// Publishes how many are inside. The slots were filled before whatever left.
    fn settle(&self, state: impl std::ops::Deref<Target = OutboxState>) {
        self.inside.store(state.pending.len() as u64, Ordering::Release);
    }
}

impl OutboxState {
    /// Something comes in.
    fn begin_to_wait(&mut self) {
        if self.pending.is_empty() {
            self.progress = Some(Instant::now());
        }
    }

    fn add(&mut self, scope: ScopeHash) {
        let everything = self.pending.get(&ScopeHash::ALL);
        if everything.is_some_and(|inside| inside.attempt.is_none()) {
            // It waits, and covers this too.
            return;
        }
        let fits = self.pending.len() < MOST_SCOPES || self.pending.contains_key(&scope);
        let scope = if fits { scope } else { ScopeHash::ALL };
        if scope == ScopeHash::ALL {
            self.pending.clear();
            self.waiting.clear();
        }
        let before = self.pending.insert(scope, Pending::default());
        if before.is_none_or(|before| before.attempt.is_some()) {
            self.waiting.push_back(scope);
        }
    }

    fn wait_again(&mut self) {
        for inside in self.pending.values_mut() {
            *inside = Pending::default();
        }
        self.waiting = self.pending.keys().copied().collect();
        self.callers.all_come_back();
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

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("inside", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
