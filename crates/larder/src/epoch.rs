//! The one rule, in its local order: **an entry is valid if and only if nothing that covers it was
//! invalidated since its computation began.**
//!
//! A process has one counter, `now` ([`LocalOrder`]). Every cache has slots that remember the counter at
//! the last change of each scope ([`Epochs`]). An entry's stamp is the counter when its computation
//! began; the entry is valid while no slot that covers it is above its stamp. Four details carry the
//! proof, and a model of the rule in the `tests` package finds a stale read when any of them is left out:
//!
//! - the stamp is taken *before* anything is read that the value is made from;
//! - a change raises its slots first, then the counter: a reader that sees the new counter sees the slots;
//! - changes are applied one at a time;
//! - the entry is judged whenever it is read, wherever it lay in the meantime. If it is valid, its stamp moves
//!   up, to what the counter was before the look: if nothing at all has changed by the next one, that look is
//!   one comparison.
//!
//! An insert is a change of its key, and puts its value where reads find it before that change can be seen: so that no call
//! computes from a source that is behind what was inserted ([`Epochs::replace`]).
//!
//! What is marked stale rather than invalidated is a change of other scopes, made from those that were marked ([`marks`]). An
//! entry that is found marked does not move its stamp: it stays marked until it is replaced.
//!
//! Where there is a log, contact with it is asked for before the counter: what was proven to be applied by
//! then is in the slots that are looked at afterwards.
//!
//! The slots are bounded: a scope that had to be forgotten makes an entry look stale, never fresh ([`Slots`]).
//!
//! What processes share has an order of its own: see [`SharedOrder`].

#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for what processes share"))]
mod announcement;
mod id;
mod journal;
mod local_order;
mod marks;
mod recent;
#[cfg(feature = "disk")]
mod recorded_changes;
#[cfg(feature = "shared")]
pub(crate) mod shared;
mod shared_order;
mod slots;
mod version;
mod watchers;
mod zeroed;

use std::{fmt, sync::Arc};

pub(crate) use self::announcement::Announcement;
pub use self::id::Epoch;
#[cfg(feature = "shared")]
pub(crate) use self::id::LogId;
#[cfg_attr(not(feature = "disk"), expect(unused_imports, reason = "for what is kept on disk"))]
pub(crate) use self::journal::Journal;
pub(crate) use self::marks::{Marked, Standing};
#[cfg(feature = "disk")]
pub(crate) use self::recorded_changes::PastChanges;
pub use self::version::ReadVersion;
use self::{
    journal::Journals,
    marks::{After, Marks},
    recent::Recent,
    slots::Slots,
};
pub(crate) use self::{
    local_order::LocalOrder,
    shared_order::{Replacement, SharedOrder},
    version::ValidAt,
    watchers::{Watcher, Watchers},
};
use crate::{
    clock::{Clock, Moment},
    scope::{self, ScopeHash, ScopeSet},
};

/// How many slots there are unless told otherwise: 16 MiB when a million scopes have changed, and a quarter of a MiB
/// until twenty thousand have, of which the operating system backs only the pages that were written to.
pub(crate) const DEFAULT_SLOTS: usize = 1 << 20;

/// When each scope of one cache last changed; of all caches that share a log, where there is one.
pub(crate) struct Epochs {
    order: Arc<LocalOrder>,
    slots: Slots,
    recent: Recent,
    marks: Marks,
    log: Option<Arc<dyn SharedOrder>>,
    journals: Journals,
    watchers: Arc<Watchers>,
}

impl Epochs {
    /// With slots for so many scopes.
    pub(crate) fn new(order: Arc<LocalOrder>, slots: usize) -> Self {
        let (slots, journals) = (Slots::new(slots), Journals::default());
        let (recent, marks, watchers) = (Recent::new(), Marks::new(), Arc::default());
        Self { order, slots, recent, marks, log: None, journals, watchers }
    }

    /// Begins a computation.
    #[inline]
    pub(crate) fn begin(&self) -> ReadVersion {
        let local = self.order.now();
        // After `now`: a change that the position covers is in the slots of those who see the position.
        ReadVersion { local, log: self.log.as_ref().map(|log| log.position()) }
    }

    /// The point at which a value that is at hand counts as read: now, though it is not known which epoch that is.
    pub(crate) fn begin_at_hand(&self) -> ReadVersion {
        let since = self.begin();
        match self.hears_others() {
            true => since,
            false => ReadVersion { log: since.log.map(|(id, _)| (id, Epoch::MAX)), ..since },
        }
    }

    /// See [`SharedOrder::hears_others`].
    pub(crate) fn hears_others(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.hears_others())
    }

    /// Applies a change of these scopes: no entry that they cover and whose computation has begun is
    /// valid from here on. O(scopes). `keys` are those of the scopes that are single keys, to free memory.
    pub(crate) fn apply(
        &self,
        scopes: &[ScopeHash],
        keys: impl IntoIterator<Item = Arc<str>>,
    ) -> Option<Arc<Announcement>> {
        let (announcement, number) = self.order.apply(|number| {
            let announcement = self.announce(scopes, keys);
            self.raise(scopes, number);
            (announcement, number)
        });
        self.tell(scopes, number);
        announcement
    }

    /// Marks what these scopes cover as stale, at this time by the clock of the cache: no entry that they cover and whose
    /// computation has begun is fresh from here on. O(scopes).
    pub(crate) fn mark(&self, scopes: &[ScopeHash], at: Moment) -> Option<Arc<Announcement>> {
        let marks: ScopeSet = scopes.iter().map(|scope| scope.mark()).collect();
        let (announcement, number) = self.order.apply(|number| {
            let announcement = self.announce(&marks, []);
            self.raise_at(&marks, number, || at);
            (announcement, number)
        });
        self.tell(&marks, number);
        announcement
    }

    /// Replaces the entries of these keys: applies one change of all of them, and in the same step has `place` judge which
    /// new values stand, and put them where they are found. No code of users may run in there.
    ///
    /// They are placed before the change can be seen. So a computation that begins after the change, and then looks for
    /// what was stored since it last looked, finds them; and the outcome of one that began before is not valid.
    pub(crate) fn replace<R>(&self, keys: &[ScopeHash], place: impl FnOnce(Replacement) -> R) -> R {
        let (placed, number) = self.order.apply(|number| (self.replace_at(number, keys, place), number));
        self.tell(keys, number);
        placed
    }

    /// The same for something new that is no change if it does not stand: then nothing is invalidated, and it is not placed.
    pub(crate) fn replace_if<T, R>(
        &self,
        keys: &[ScopeHash],
        new: &mut T,
        stands: impl FnOnce(&T) -> bool,
        place: impl FnOnce(&mut T, Replacement) -> R,
    ) -> Option<R> {
        let (placed, number) = self.order.apply(|number| {
            let stands = stands(new);
            (stands.then(|| self.replace_at(number, keys, |replacement| place(new, replacement))), number)
        });
        if placed.is_some() {
            self.tell(keys, number);
        }
        placed
    }

    /// The replacement of these keys, as the only applier.
    fn replace_at<R>(&self, number: u64, keys: &[ScopeHash], place: impl FnOnce(Replacement) -> R) -> R {
        let announcement = self.announce_replacement(keys);
        let since = ReadVersion { local: number, log: None };
        let placed = place(Replacement { since, announcement, by_read: !self.hears_others() });
        self.raise(keys, number);
        placed
    }

    /// Remembers a change of these scopes: part of every change, before its number is published.
    fn raise(&self, scopes: &[ScopeHash], number: u64) {
        self.raise_at(scopes, number, || Clock::default().now());
    }

    fn raise_at(&self, scopes: &[ScopeHash], number: u64, now: impl FnOnce() -> Moment) {
        // First: who finds a mark in the slots finds its time.
        self.marks.note(scopes, number, now);
        self.slots.raise(scopes, number);
        self.recent.add(scopes, number);
    }

    /// First of all, and before it can be appended: a reader that judges an entry of the server after this
    /// change must meet it in the outbox.
    fn announce(
        &self,
        scopes: &[ScopeHash],
        keys: impl IntoIterator<Item = Arc<str>>,
    ) -> Option<Arc<Announcement>> {
        self.log.as_ref().map(|log| log.announce(scopes, &mut keys.into_iter()))
    }

    fn announce_replacement(&self, keys: &[ScopeHash]) -> Option<Arc<Announcement>> {
        self.log.as_ref().map(|log| log.announce_replacement(keys))
    }

    /// After the change: so that the sender need not wait for its end, and that what is found valid after it was written
    /// down is not covered by it.
    fn tell(&self, scopes: &[ScopeHash], number: u64) {
        if let Some(log) = &self.log {
            log.ring();
        }
        self.journals.note(scopes, number);
    }

    /// The caches that hear of what happens to all that share a log.
    pub(crate) fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    /// Has every change of this process told to a journal, from here on.
    #[cfg(feature = "disk")]
    pub(crate) fn write_down(&self, journal: std::sync::Weak<dyn Journal>) {
        self.journals.add(journal);
    }

    /// Whether what is known of changes by other processes is recent enough to serve anything. Asked before
    /// anything is judged: what contact was proven of is then in the slots that the judge looks at.
    #[inline]
    pub(crate) fn in_touch(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.in_touch())
    }

    /// Whether nothing was changed that covers what has this stamp; `unchanged` looks at its slots.
    #[expect(clippy::inline_always, reason = "a part of each hit")]
    #[inline(always)]
    pub(crate) fn holds(&self, stamp: &ValidAt, unchanged: impl FnOnce(ReadVersion) -> bool) -> bool {
        stamp.holds(|| self.order.now(), unchanged)
    }

    /// Whether nothing among `scopes`, a set, nor everything, was changed since.
    ///
    /// A change that happened before this call is seen, or a later one.
    #[inline]
    pub(crate) fn unchanged(&self, scopes: &[ScopeHash], since: ReadVersion) -> bool {
        if scopes.len() > scope::FEW {
            return self.many_unchanged(scopes, since);
        }
        self.slots.unchanged(scopes, since.local)
    }

    /// The same for many scopes: costs no more than what changed since, where that is less than what there is.
    #[inline(never)]
    fn many_unchanged(&self, scopes: &[ScopeHash], since: ReadVersion) -> bool {
        // A look at each scope's slots would cost more.
        let told = self.recent.unchanged(scopes, since.local, scopes.len());
        told.unwrap_or_else(|| self.slots.unchanged(scopes, since.local))
    }

    /// Whether nothing among `scopes`, a set, nor everything, was marked stale since. It costs a look at as many slots
    /// more, if there was any mark since.
    #[inline]
    pub(crate) fn unmarked(&self, scopes: &[ScopeHash], since: ReadVersion) -> bool {
        self.marks.none_after(since.local) || self.none_marked(scopes, since.local)
    }

    #[inline(never)]
    fn none_marked(&self, scopes: &[ScopeHash], since: u64) -> bool {
        let unmarked = |scope: &ScopeHash| self.slots.unchanged(&[scope.mark()], since);
        scopes.iter().chain([&ScopeHash::ALL]).all(unmarked)
    }

    /// Whether nothing among `scopes`, a set, nor everything, was invalidated or marked stale since.
    pub(crate) fn is_current(&self, scopes: &[ScopeHash], since: ReadVersion) -> bool {
        self.unchanged(scopes, since) && self.unmarked(scopes, since)
    }

    /// When the first mark since was made that covers an entry under these scopes, which was found marked.
    pub(crate) fn marked_since(&self, scopes: &[ScopeHash], since: ReadVersion) -> Marked {
        Marked(self.marks.first(scopes, After::Number(since.local)))
    }

    /// Whether an entry that is marked in local order is not in the order that processes share, as in
    /// [`valid_in_log_order`](Self::valid_in_log_order).
    #[cold]
    pub(crate) fn unmarked_in_log_order(&self, scopes: &[ScopeHash], since: ReadVersion) -> bool {
        let (Some(log), Some((id, epoch))) = (&self.log, since.log) else { return false };
        id == log.position().0 && log.unmarked(scopes, epoch)
    }

    /// Whether an entry that local order refuses is valid in the order that processes share, in which it has the epoch
    /// of `since`.
    ///
    /// A record that is older than the entry raises the local slots when it is read, however late that is: what
    /// the entry is made from was read after it. Each order alone proves an entry valid. What covers everything
    /// is final: a new start makes everything in memory invalid, whatever epoch it has.
    #[cold]
    pub(crate) fn valid_in_log_order(
        &self,
        scopes: &[ScopeHash],
        stamp: ReadVersion,
        since: ReadVersion,
    ) -> bool {
        let (Some(log), Some((id, epoch))) = (&self.log, since.log) else { return false };
        id == log.position().0 && self.slots.unchanged(&[], stamp.local) && log.accepts(scopes, epoch)
    }

    /// The number of the last change of this scope, or a higher one if it was forgotten; zero before the first one.
    pub(crate) fn last_change(&self, scope: ScopeHash) -> u64 {
        self.slots.last(scope)
    }

    /// Whether this scope alone was invalidated since. It may have been, if its last change was forgotten.
    pub(crate) fn is_changed_since(&self, scope: ScopeHash, since: ReadVersion) -> bool {
        self.last_change(scope) > since.local
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs").field("order", &self.order).field("log", &self.log).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;

#[cfg(all(test, larder_loom))]
mod model;
