//! What happens in a cache, as a stream for those who watch it: off, and free, until there is a reader.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    drop_later,
    epoch::{Epoch, Watcher},
    outcome::{NotStored, Tier},
    scope::{Scope, ScopeHash},
    sync::plain::{Mutex, lock},
};

/// How many events a reader may be behind.
const CAPACITY: usize = 4_096;

/// Something that happened in a cache: see [`CacheExt::events`](crate::CacheExt::events).
///
/// `function` is the path of the cached function, as in [`FunctionStats`](crate::FunctionStats), and empty for what is read
/// and stored by hand. Keys are full keys of this cache: what other processes do with theirs is not seen here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheEvent {
    /// A read was answered with a value.
    #[non_exhaustive]
    Hit {
        /// The full key.
        key: Arc<str>,
        /// The function that stored it.
        function: Arc<str>,
        /// Where it lay.
        tier: Tier,
        /// Whether it was past its `ttl`.
        stale: bool,
    },
    /// A read found nothing that it could serve from memory. A hit further away may follow, or a computation.
    #[non_exhaustive]
    Miss {
        /// The full key.
        key: Arc<str>,
        /// The function that asked.
        function: Arc<str>,
    },
    /// A computation ended.
    #[non_exhaustive]
    Computed {
        /// The full key; none for a computation of several keys at once.
        key: Option<Arc<str>>,
        /// The function.
        function: Arc<str>,
        /// How long it took.
        took: Duration,
        /// Whether it succeeded.
        succeeded: bool,
    },
    /// A value was stored where the cache keeps values.
    #[non_exhaustive]
    Stored {
        /// The full key.
        key: Arc<str>,
        /// The function.
        function: Arc<str>,
        /// False if it stays in this process because it cannot be shared, in a cache that shares values.
        shared: bool,
    },
    /// What was computed was not stored.
    #[non_exhaustive]
    NotStored {
        /// The full key.
        key: Arc<str>,
        /// The function.
        function: Arc<str>,
        /// Why.
        why: NotStored,
    },
    /// This process invalidated something, or marked it stale.
    #[non_exhaustive]
    Invalidated {
        /// What.
        scopes: Arc<[Scope]>,
        /// Whether it was only marked stale.
        soft: bool,
    },
    /// Another process invalidated something, or marked it stale: hashes, because its log has no names.
    #[non_exhaustive]
    InvalidatedElsewhere {
        /// What. The hash of a mark is that of no scope.
        scopes: Arc<[ScopeHash]>,
        /// When, in the order of the log.
        epoch: Epoch,
        /// Which process did it: the number that it chose when it connected, as `larder tail` and `larder status` show it in
        /// hexadecimal; 0 for none in particular.
        process: u64,
    },
    /// An entry had to make room in memory.
    #[non_exhaustive]
    Evicted {
        /// The full key.
        key: Arc<str>,
        /// The function that stored it.
        function: Arc<str>,
    },
    /// A server can no longer be reached, or can be reached again; or so can the invalidation log.
    #[non_exhaustive]
    Link {
        /// The server, as [`Server::name`](crate::Server) has it, or the key of the log.
        name: Arc<str>,
        /// Whether it is there.
        up: bool,
    },
    /// The reader was slow, and so many events before the next one were dropped.
    Lagged(u64),
}

/// One reader's own events.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    events: VecDeque<CacheEvent>,
    lost: u64,
    waker: Option<Waker>,
}

impl Queue {
    fn take(&mut self) -> Option<CacheEvent> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front(),
            lost => Some(CacheEvent::Lagged(lost)),
        }
    }
}

impl Listener {
    /// Adds an event. Returns the reader that waits for one, to be woken when no lock is held.
    #[must_use]
    fn push(&self, event: CacheEvent) -> Option<Waker> {
        let mut queue = lock(&self.0);
        if queue.events.len() == CAPACITY {
            queue.events.pop_front();
            queue.lost += 1;
        }
        queue.events.push_back(event);
        queue.waker.take()
    }

    /// The next event, if there is one.
    pub(crate) fn take(&self) -> Option<CacheEvent> {
        lock(&self.0).take()
    }

    /// The same; the reader is woken when there is one.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<CacheEvent> {
        if let Some(event) = self.take() {
            return Poll::Ready(event);
        }
        // A waker's own `clone` and `drop` are not to be called under a lock.
        let waker = context.waker().clone();
        let (event, unneeded) = {
            let mut queue = lock(&self.0);
            match queue.take() {
                Some(event) => (Some(event), Some(waker)),
                None => (None, queue.waker.replace(waker)),
            }
        };
        drop(unneeded);
        event.map_or(Poll::Pending, Poll::Ready)
    }
}

/// Who reads the events of a cache.
#[derive(Default)]
pub(crate) struct Hub {
    any: AtomicBool,
    listeners: Mutex<Vec<Arc<Listener>>>,
}

impl Hub {
    /// Whether there is a reader: one load, for calls that found no plain hit.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    #[cold]
    pub(crate) fn send(&self, event: &CacheEvent) {
        self.add_to_all(event, drop_later::wake);
    }

    /// The same, where a store that is none of larder's may hold its locks.
    #[cold]
    pub(crate) fn send_from_store(&self, event: &CacheEvent) {
        self.add_to_all(event, drop_later::wake_later);
    }

    fn add_to_all(&self, event: &CacheEvent, wake: fn(Waker)) {
        let listeners = lock(&self.listeners).clone();
        listeners.iter().filter_map(|listener| listener.push(event.clone())).for_each(wake);
    }

    /// Adds a reader. `note` is told whether there are any, in the order in which that changes.
    pub(crate) fn add(&self, note: impl FnOnce(bool)) -> Arc<Listener> {
        let listener = Arc::new(Listener::default());
        let mut listeners = lock(&self.listeners);
        listeners.push(listener.clone());
        self.any.store(true, Ordering::Relaxed);
        note(true);
        listener
    }

    /// Removes a reader.
    pub(crate) fn remove(&self, listener: &Arc<Listener>, note: impl FnOnce(bool)) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|other| !Arc::ptr_eq(other, listener));
        let any = !listeners.is_empty();
        self.any.store(any, Ordering::Relaxed);
        note(any);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("any", &self.any).finish_non_exhaustive()
    }
}

impl Watcher for Hub {
    fn invalidated(&self, scopes: &[ScopeHash], epoch: Epoch, sender: u64) {
        if self.is_watched() {
            self.send(&CacheEvent::InvalidatedElsewhere { scopes: scopes.into(), epoch, process: sender });
        }
    }

    fn link(&self, name: &str, up: bool) {
        if self.is_watched() {
            self.send(&CacheEvent::Link { name: name.into(), up });
        }
    }
}
