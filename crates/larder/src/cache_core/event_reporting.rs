//! Publishing events to those who watch the cache: see [`CacheEvent`].

use std::{sync::Arc, time::Duration};

use super::Core;
use crate::{
    cache_events::{CacheEvent, Hub},
    entry::{Entry, Stored},
    outcome::Tier,
    stats::Group,
};

impl Core {
    pub(crate) fn events(&self) -> &Arc<Hub> {
        &self.0.events
    }

    /// Has hits go the way on which they are published, or not. What happens to all that share a log is published too.
    pub(crate) fn watch(&self, watched: bool) {
        if watched {
            self.epochs().watchers().add(&self.0.events);
        }
        self.0.switch.watch(watched);
    }

    /// Tells of something, if there is a reader.
    #[inline]
    pub(crate) fn tell(&self, event: impl FnOnce(&Self) -> CacheEvent) {
        if self.0.events.is_watched() {
            self.tell_watchers(event);
        }
    }

    // Not a part of the code that tells: most caches are not watched.
    #[cold]
    #[inline(never)]
    fn tell_watchers(&self, event: impl FnOnce(&Self) -> CacheEvent) {
        let event = event(self);
        self.0.events.send(&event);
    }

    /// What a group is called in an event.
    pub(crate) fn function(&self, group: Group) -> Arc<str> {
        self.0.stats.function(group)
    }

    /// A caller was given what was found.
    pub(crate) fn tell_hit(&self, stored: &Stored, tier: Tier, stale: bool) {
        self.tell(|core| CacheEvent::Hit {
            key: stored.key.to_shared(),
            function: core.function(stored.group),
            tier,
            stale,
        });
    }

    /// A caller found nothing.
    pub(crate) fn tell_miss(&self, key: &str, group: Group) {
        self.tell(|core| CacheEvent::Miss { key: key.into(), function: core.function(group) });
    }

    /// A value was stored; it is counted if that was done where the cache keeps values.
    pub(crate) fn note_written(&self, entry: &Entry, group: Group) {
        let shared = !entry.0.is_unshared();
        if shared {
            self.count_in(group, |counters| &counters.stores);
        }
        self.tell(|core| CacheEvent::Stored {
            key: entry.0.key.to_shared(),
            function: core.function(group),
            shared,
        });
    }

    /// A computation took so long, and succeeded or not. Without a key, it was one of several keys.
    pub(crate) fn computed(&self, key: Option<&Arc<str>>, group: Group, (took, succeeded): (Duration, bool)) {
        self.0.stats.computed(group, took);
        self.tell(|core| CacheEvent::Computed {
            key: key.cloned(),
            function: core.function(group),
            took,
            succeeded,
        });
    }

    /// Counts an entry that had to make room. Some stores say so while they hold their locks.
    pub(super) fn note_evicted(&self, stored: &Stored) {
        self.count_in(stored.group, |counters| &counters.evictions);
        self.0.front.narrow();
        if self.0.events.is_watched() {
            let (key, function) = (stored.key.to_shared(), self.function(stored.group));
            self.0.events.send_from_store(&CacheEvent::Evicted { key, function });
        }
    }
}
