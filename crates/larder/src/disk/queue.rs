//! What waits for the thread that writes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::binding::Binding;
use crate::{
    alarm,
    entry::Entry,
    epoch::Epoch,
    panic_guard,
    scope::ScopeHash,
    stats::Group,
    sync::plain::{Mutex, lock},
};

/// How many entries wait at most: what is more is not written.
const MOST_ENTRIES: usize = 16_384;

/// How many bytes these entries may take, as far as is known: each as many as the last one of its function took on disk.
const MOST_BYTES: usize = 64 << 20;

/// How many scopes wait at most: more become one change that covers everything.
const MOST_SCOPES: usize = 1 << 20;

/// How many entries are taken at once: those whose callers wait are not held up by more.
const AT_ONCE: usize = 64;

/// How long a caller waits for the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// An entry that is to be written.
pub(super) struct Offer {
    pub(super) entry: Entry,
    /// In the order that processes share, and that of its newest record that covers everything.
    pub(super) epoch: Epoch,
    pub(super) reset: Epoch,
    pub(super) binding: Arc<Binding>,
}

/// What the thread does next.
#[derive(Default)]
pub(super) struct Work {
    pub(super) changes: Vec<ScopeHash>,
    pub(super) entries: Vec<Offer>,
    /// All that was noted before is to be safe from a power cut: asked for so often.
    pub(super) flush: Option<u64>,
    /// The cache is gone.
    pub(super) stop: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do.
    work: Condvar,
    /// Something was done.
    done: Notify,
}

#[derive(Default)]
struct State {
    changes: Vec<ScopeHash>,
    /// The numbers of the first change that waits, and of the first one that is being written.
    waiting: Option<u64>,
    writing: Option<u64>,
    entries: VecDeque<(Offer, usize)>,
    /// What all of them take, and what an entry of a group does.
    bytes: usize,
    sizes: HashMap<Group, usize>,
    /// Flushes that were asked for, and that were made, or could not be.
    asked: u64,
    flushed: u64,
    flush_failed: u64,
    /// Changes cannot be written: no one waits for that.
    stalled: bool,
    stop: bool,
}

impl State {
    /// Whether every change through this one is written.
    fn is_written(&self, number: u64) -> bool {
        [self.waiting, self.writing].into_iter().flatten().all(|first| first > number)
    }

    fn has_work(&self) -> bool {
        !self.changes.is_empty() || !self.entries.is_empty() || self.asked > self.flushed || self.stop
    }
}

impl Queue {
    /// Takes in a change with this number. Never waits, and never drops one.
    pub(super) fn note(&self, scopes: &[ScopeHash], number: u64) {
        let mut state = lock(&self.state);
        state.waiting = Some(state.waiting.map_or(number, |first| first.min(number)));
        state.add(scopes);
        drop(state);
        self.work.notify_one();
    }

    /// Takes in entries, as many as there is room for; gives how many there was none for.
    pub(super) fn offer(&self, offers: impl IntoIterator<Item = Offer>) -> u64 {
        let mut refused = Vec::new();
        let mut state = lock(&self.state);
        for offer in offers {
            if let Err(offer) = state.push(offer) {
                refused.push(offer);
            }
        }
        drop(state);
        self.work.notify_one();
        // Under no lock.
        refused.len() as u64
    }

    /// Waits for work; for so long at most, if anything is to be tried again.
    pub(super) fn take(&self, limit: Option<Duration>) -> Work {
        let mut state = lock(&self.state);
        while !state.has_work() || limit.is_some() {
            let Some(limit) = limit else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if !state.stop {
                state = self.work.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0;
            }
            break;
        }
        state.writing = state.waiting.take();
        let entries = state.entries.len().min(AT_ONCE);
        let entries = state.take_entries(entries);
        let is_last = state.entries.is_empty();
        Work {
            changes: std::mem::take(&mut state.changes),
            entries,
            flush: (is_last && state.asked > state.flushed).then_some(state.asked),
            stop: is_last && state.stop,
        }
    }

    /// An entry of this group took so many bytes.
    pub(super) fn learn(&self, group: Group, bytes: usize) {
        lock(&self.state).sizes.insert(group, bytes);
    }

    /// What was taken is written.
    pub(super) fn written(&self) {
        let mut state = lock(&self.state);
        state.writing = None;
        state.stalled = false;
        drop(state);
        self.tell();
    }

    /// What was taken cannot be written now: it waits again, and no one for it.
    pub(super) fn not_written(&self, changes: &[ScopeHash]) {
        let mut state = lock(&self.state);
        let first = [state.waiting, state.writing.take()].into_iter().flatten().min();
        state.waiting = first;
        state.add(changes);
        state.stalled = true;
        drop(state);
        self.tell();
    }

    /// So many flushes were made, if they could be.
    pub(super) fn flushed(&self, asked: u64, safe: bool) {
        let mut state = lock(&self.state);
        state.flushed = asked;
        if !safe {
            state.flush_failed = asked;
        }
        drop(state);
        self.tell();
    }

    /// The wakers belong to callers' executors. What panics in there is no failure to write.
    fn tell(&self) {
        let _ = panic_guard::contain(|| self.done.notify_waiters());
    }

    /// Whether every change through this one is written.
    pub(super) fn is_written(&self, number: u64) -> bool {
        lock(&self.state).is_written(number)
    }

    /// Waits until it is, or cannot be; for a second at most.
    pub(super) async fn wait_until_written(&self, number: u64) -> bool {
        let ended = |state: &State| state.is_written(number) || state.stalled;
        self.wait(ended, PATIENCE).await;
        self.is_written(number)
    }

    /// Has all that was noted so far made safe from a power cut, and waits for that. Whether it is.
    pub(super) async fn flush(&self, limit: Duration) -> bool {
        let asked = {
            let mut state = lock(&self.state);
            state.asked += 1;
            state.asked
        };
        self.work.notify_one();
        self.wait(|state| state.flushed >= asked, limit).await;
        let state = lock(&self.state);
        state.flushed >= asked && state.flush_failed < asked
    }

    async fn wait(&self, ended: impl Fn(&State) -> bool, limit: Duration) {
        let waiting = async {
            loop {
                // Before the look: what comes after it wakes this one.
                let done = self.done.notified();
                if ended(&lock(&self.state)) {
                    return;
                }
                done.await;
            }
        };
        alarm::within(limit, waiting).await;
    }

    /// Nothing more comes.
    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.work.notify_one();
    }
}

impl State {
    /// Gives the entry back if there is no room for it. There always is for one.
    fn push(&mut self, offer: Offer) -> Result<(), Offer> {
        let size = self.sizes.get(&offer.entry.0.group).copied().unwrap_or(0);
        let fits = self.entries.is_empty() || self.bytes + size <= MOST_BYTES;
        if self.entries.len() >= MOST_ENTRIES || !fits {
            return Err(offer);
        }
        self.bytes += size;
        self.entries.push_back((offer, size));
        Ok(())
    }

    fn take_entries(&mut self, count: usize) -> Vec<Offer> {
        let taken: Vec<_> = self.entries.drain(..count).collect();
        let take = |(offer, size)| {
            self.bytes -= size;
            offer
        };
        taken.into_iter().map(take).collect()
    }

    fn add(&mut self, scopes: &[ScopeHash]) {
        if self.changes.len() + scopes.len() > MOST_SCOPES {
            self.changes = vec![ScopeHash::ALL];
        } else {
            self.changes.extend_from_slice(scopes);
        }
    }
}
