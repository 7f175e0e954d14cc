//! Invalidations of this process on their way into the log: from the call to the echo.
//!
//! A scope enters when it is invalidated, and before anything else is done about that; it leaves when the
//! record that carries it is read back from the log. In between it counts against every entry of the server. A
//! failed append leaves it waiting. Each append is an *attempt* with a number of its own, which stands in the
//! record: an older reply or echo never takes out what was added since.
//!
//! A scope waits once, however often it is invalidated. What waits is bounded: too many scopes become one that
//! covers everything.

mod deletions;

use std::{
    collections::{HashMap, VecDeque},
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;
use tokio::sync::Notify;

use self::deletions::Deletions;
use crate::{
    epoch::{Announcement, Epoch},
    mutant::{self, Rule},
    scope::{self, ScopeHash},
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// How many scopes wait at most. More become one that covers everything.
const MOST_SCOPES: usize = 1 << 16;

/// How many scopes one attempt takes along at most: 8 KiB of them, so that what a reader takes at once stays
/// within bounds.
const MOST_AT_ONCE: usize = 1 << 10;

/// For how many attempts callers are remembered at most, while nothing is read back.
const MOST_UNDER_WAY: usize = 1 << 12;

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

/// The callers of what is inside.
#[derive(Default)]
struct Callers {
    /// Those of what was added since nothing last waited.
    latest: Option<Arc<Announcement>>,
    /// Those of attempts that failed.
    failed: Vec<Arc<Announcement>>,
    under_way: HashMap<u64, AttemptUnderWay>,
}

/// The callers of an attempt.
#[derive(Default)]
struct AttemptUnderWay {
    callers: Vec<Arc<Announcement>>,
    named: bool,
    /// The epoch of the record that was read back.
    echoed: Option<Epoch>,
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
        let state = lock(&self.state);
        let inside = |scope| state.pending.contains_key(scope);
        // Whichever is less: an entry may have thousands of scopes, and the lock is one for all.
        let covered = || match state.pending.len() < scopes.len() {
            true => state.pending.keys().any(|pending| scope::contains(scopes, *pending)),
            false => scopes.iter().any(inside),
        };
        inside(&ScopeHash::ALL) || covered()
    }

    /// Whether this very scope is inside.
    pub(crate) fn has(&self, scope: ScopeHash) -> bool {
        self.inside.load(Ordering::Acquire) != 0 && lock(&self.state).pending.contains_key(&scope)
    }

    /// How many scopes are inside.
    pub(crate) fn len(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
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
                pending.attempt = Some(*attempt);
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

    /// The server said what epoch an attempt has.
    pub(crate) fn named(&self, attempt: u64, epoch: Epoch) {
        let callers = lock(&self.state).callers.named(attempt);
        // No lock is held while callers are woken.
        callers.iter().for_each(|announcement| announcement.set_named(epoch));
    }

    /// An attempt failed, or may have: what it carried waits again.
    pub(crate) fn failed(&self, batch: OutboxBatch) {
        let mut state = lock(&self.state);
        if mutant::is(Rule::FailedAppendForgotten) {
            batch.scopes.iter().for_each(|scope| _ = state.pending.remove(scope));
        }
        let OutboxState { pending, waiting, callers, .. } = &mut *state;
        for scope in batch.scopes.into_iter().rev() {
            if let Some(inside) =
                pending.get_mut(&scope).filter(|inside| inside.attempt == Some(batch.attempt))
            {
                inside.attempt = None;
                waiting.push_front(scope);
            }
        }
        let delivered = callers.come_back(batch.attempt);
        self.settle(state);
        self.waits.notify_one();
        if let Some((epoch, callers)) = delivered {
            callers.iter().for_each(|announcement| announcement.set_named(epoch));
        }
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
        let callers = state.callers.echoed(attempt, epoch);
        self.settle(state);
        callers.iter().for_each(|announcement| announcement.set_echoed());
    }

    /// Has everything that is inside, and everything of the last minute, appended again: whatever the server
    /// said of it, it may be lost.
    pub(crate) fn append_again(&self) {
        let mut state = lock(&self.state);
        state.forget_old(Instant::now());
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

    /// Has everything that is inside appended again, as other attempts: the records of the ones so far are not
    /// recognised any longer.
    pub(crate) fn disown(&self) {
        let mut state = lock(&self.state);
        state.wait_again();
        self.settle(state);
        self.waits.notify_one();
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
        let before = self.pending.insert(scope, Pending { attempt: None });
        if before.is_none_or(|before| before.attempt.is_some()) {
            self.waiting.push_back(scope);
        }
    }

    fn wait_again(&mut self) {
        for inside in self.pending.values_mut() {
            inside.attempt = None;
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

impl Callers {
    /// The attempt takes along the last of what waits.
    fn set_out(&mut self, attempt: u64) {
        let mut callers = mem::take(&mut self.failed);
        callers.extend(self.latest.take());
        if self.under_way.len() < MOST_UNDER_WAY {
            self.under_way.insert(attempt, AttemptUnderWay { callers, ..AttemptUnderWay::default() });
        }
    }

    /// The server named the epoch of an attempt.
    fn named(&mut self, attempt: u64) -> Vec<Arc<Announcement>> {
        self.change(attempt, |under_way| under_way.named = true)
    }

    /// The record of an attempt was read back.
    fn echoed(&mut self, attempt: u64, epoch: Epoch) -> Vec<Arc<Announcement>> {
        self.change(attempt, |under_way| under_way.echoed = Some(epoch))
    }

    /// An attempt is over when it was named and read back, in either order.
    fn change(&mut self, attempt: u64, change: impl FnOnce(&mut AttemptUnderWay)) -> Vec<Arc<Announcement>> {
        let Some(under_way) = self.under_way.get_mut(&attempt) else { return Vec::new() };
        change(under_way);
        if under_way.named && under_way.echoed.is_some() {
            return self.under_way.remove(&attempt).unwrap_or_default().callers;
        }
        under_way.callers.clone()
    }

    /// An attempt failed. If its record was read back all the same, gives those who were not told of its epoch.
    fn come_back(&mut self, attempt: u64) -> Option<(Epoch, Vec<Arc<Announcement>>)> {
        let AttemptUnderWay { callers, echoed, .. } = self.under_way.remove(&attempt)?;
        if let Some(epoch) = echoed {
            return Some((epoch, callers));
        }
        self.failed.extend(callers);
        self.forget_gone();
        None
    }

    /// What was read back by now is delivered, whatever becomes of the server.
    fn all_come_back(&mut self) {
        let unread = |under_way: &AttemptUnderWay| under_way.echoed.is_none();
        let mut under_way: Vec<_> = self.under_way.extract_if(|_, attempt| unread(attempt)).collect();
        under_way.sort_by_key(|(attempt, _)| *attempt);
        self.failed.extend(under_way.into_iter().flat_map(|(_, attempt)| attempt.callers));
        self.forget_gone();
    }

    /// Those who no longer wait are forgotten: a server may be away for days.
    fn forget_gone(&mut self) {
        self.failed.retain(|announcement| Arc::strong_count(announcement) > 1);
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("inside", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
