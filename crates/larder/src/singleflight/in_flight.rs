//! A computation under way: who leads it, who waits for it, and how it ended.

use std::{
    any::{Any, TypeId},
    hash::{Hash, Hasher},
    sync::Arc,
    task::Waker,
};

use super::{wait_graph::Node, watch::Watch};
#[cfg(not(larder_loom))]
use crate::sync::lock;
use crate::{
    cache::Lease,
    entry::{DependencySet, Entry},
    epoch::{Epochs, ReadVersion},
    scope::ScopeSet,
    spans::Traced,
    sync::Mutex,
};

/// What a computation is for: a key, and the type of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkKey {
    pub(crate) key: Arc<str>,
    /// The key's hash in its cache.
    pub(crate) hash: u64,
    pub(crate) value_type: TypeId,
}

impl Hash for WorkKey {
    /// The key is hashed once in a call. That it may have values of several types is rare.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// How a computation ended.
#[derive(Clone)]
pub(crate) enum Outcome {
    Value(Entry),
    Failure(Failure),
    /// The computation kept its outcome to itself: each of those who waited computes for itself.
    Unshared,
}

/// A failed computation's error, in the form in which callers of the same kind can take it.
#[derive(Clone)]
pub(crate) struct Failure {
    /// None if the error cannot be given to another caller.
    pub(crate) error: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) cover: Arc<DependencySet>,
}

impl Outcome {
    pub(super) fn is_valid(&self, epochs: &Epochs) -> bool {
        match self {
            Self::Value(entry) => !entry.0.is_too_wide() && entry.0.is_valid(epochs),
            Self::Failure(failure) => !failure.cover.is_too_wide() && failure.cover.is_current(epochs),
            Self::Unshared => true,
        }
    }
}

/// A computation under way.
pub(super) struct InFlight {
    pub(super) node: Node,
    pub(super) work: WorkKey,
    /// The scopes of the key and its static tags: what is known before the computation ends.
    pub(super) scopes: ScopeSet,
    pub(super) state: Mutex<InFlightState>,
}

pub(super) struct InFlightState {
    pub(super) phase: Phase,
    /// Names the leader, too: one that began later has another one.
    pub(super) number: u64,
    pub(super) since: ReadVersion,
    /// Tells whether the leader is abandoned.
    pub(super) watch: Arc<Watch>,
    /// What keeps other processes from computing the same. It stays with the computation when its leader is
    /// superseded.
    pub(super) lease: Option<Lease>,
    pub(super) participants: usize,
    /// A place for each waiter that was polled.
    pub(super) waiting: Vec<Option<Waker>>,
    pub(super) free: Vec<usize>,
    /// The span of the computation, where a subscriber listens.
    pub(super) span: Traced,
    /// How many leaders panicked.
    pub(super) panics: usize,
    /// Whether the watchdog knows of it.
    #[cfg(not(larder_loom))]
    pub(super) looked_after: bool,
}

pub(super) enum Phase {
    Led,
    /// The leader was dropped: the first caller to come, or waiter to notice, takes the lead.
    Vacant,
    Completed(Outcome),
}

/// Who computes for those who wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leadership {
    /// The number of the computation when this one began. Another one there: this one was superseded.
    pub(super) number: u64,
    /// Whether this one took over from one that was abandoned.
    pub(super) superseded: bool,
}

impl Leadership {
    pub(super) fn first(number: u64) -> Self {
        Self { number, superseded: false }
    }
}

/// When a caller came: what begins later is as new as it can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(pub(super) u64);

/// A caller of a computation: what it wants, and what its own computation would be watched by.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) work: &'a WorkKey,
    /// The scopes of the key and its static tags.
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) watch: &'a Arc<Watch>,
}

impl InFlight {
    pub(super) fn begin(caller: Caller<'_>, number: u64, epochs: &Epochs) -> Arc<Self> {
        Arc::new(Self {
            node: Node::new(),
            work: caller.work.clone(),
            scopes: caller.scopes.clone(),
            state: Mutex::new(InFlightState {
                phase: Phase::Led,
                number,
                since: epochs.begin(),
                watch: caller.watch.clone(),
                lease: None,
                participants: 1,
                waiting: Vec::new(),
                free: Vec::new(),
                span: Traced::default(),
                panics: 0,
                #[cfg(not(larder_loom))]
                looked_after: false,
            }),
        })
    }

    /// Wakes those who wait if no leader computes for them; false once the computation has ended.
    #[cfg(not(larder_loom))]
    pub(super) fn wake_if_abandoned(&self) -> bool {
        let wakers = {
            let mut state = lock(&self.state);
            if let Phase::Completed(_) = state.phase {
                return false;
            }
            if !state.is_free() {
                return true;
            }
            state.take_wakers()
        };
        crate::panic_guard::wake_all(wakers);
        true
    }
}

impl AsRef<Node> for InFlight {
    fn as_ref(&self) -> &Node {
        &self.node
    }
}

impl InFlightState {
    /// Whether the computation can be led on: it has no leader, or one that is abandoned.
    pub(super) fn is_free(&self) -> bool {
        match self.phase {
            Phase::Led => self.watch.is_abandoned(),
            Phase::Vacant => true,
            Phase::Completed(_) => false,
        }
    }

    /// Gives the computation a new leader, who begins now.
    pub(super) fn take_lead(&mut self, number: u64, watch: &Arc<Watch>, epochs: &Epochs) -> Leadership {
        let before = std::mem::replace(&mut self.phase, Phase::Led);
        self.number = number;
        self.watch = watch.clone();
        self.since = epochs.begin();
        Leadership { number, superseded: matches!(before, Phase::Led) }
    }

    /// Whether the watchdog has to be told: there is a waiter, and was none before.
    #[cfg(not(larder_loom))]
    pub(super) fn needs_watchdog(&mut self) -> bool {
        !std::mem::replace(&mut self.looked_after, true)
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.waiting.iter_mut().filter_map(Option::take).collect()
    }

    /// What becomes of it without a leader, who was dropped, or panics.
    pub(super) fn abandoned(&mut self) -> Phase {
        self.panics += usize::from(std::thread::panicking());
        // Twice is no accident: the others find out for themselves at once, not one after the other.
        if self.panics < 2 { Phase::Vacant } else { Phase::Completed(Outcome::Unshared) }
    }

    /// Ends the lead. All are to be woken: the first to run takes a vacant computation on, so that a
    /// waiter that is never polled again holds up no other.
    #[must_use]
    pub(super) fn end(&mut self, phase: Phase) -> Vec<Waker> {
        self.phase = phase;
        self.take_wakers()
    }
}
