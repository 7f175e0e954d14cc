//! One place for a connection in a link: the connection that is there, and the way to the next one.

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use arc_swap::ArcSwapOption;
use tokio::{sync::watch, time::Instant};

use super::spares::Spares;
use crate::{
    error::{Cause, Error},
    panic_guard,
    redis::connection::{ConnectError, address::Address, dial::Dialed},
};

/// One connection, and the next one after it.
pub(super) struct Line {
    pub(super) live: ArcSwapOption<Live>,
    pub(super) stage: watch::Sender<Stage>,
    pub(super) repair: Mutex<Repair>,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            live: ArcSwapOption::empty(),
            stage: watch::Sender::new(Stage::Idle),
            repair: Mutex::default(),
        }
    }

    pub(super) fn becomes(&self, stage: Stage) {
        self.set(stage);
        self.tell();
    }

    /// For where the lock of its repair is held: those who wait are not woken, until they are [told](Self::tell).
    pub(super) fn set(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            *now = stage;
            false
        });
    }

    /// Wakes those who wait.
    pub(super) fn tell(&self) {
        self.changes(|_| true);
    }

    /// Tells those who wait if it changes, whose wakers belong to their executors: what panics in there leaves nothing half
    /// done here.
    pub(super) fn changes(&self, change: impl FnOnce(&mut Stage) -> bool) {
        let _ = panic_guard::contain(|| self.stage.send_if_modified(change));
    }
}

/// Who repairs a line.
#[derive(Debug, Default)]
pub(super) struct Repair {
    /// The task that may: those with a lower number have been replaced.
    pub(super) task: u64,
    /// When it will have done its next step. A task whose runtime no longer runs it is replaced after that.
    pub(super) due: Option<Instant>,
}

/// A connection that is used.
pub(super) struct Live {
    pub(super) dialed: Dialed,
    pub(super) address: Address,
    /// Tells it from those before it, whose late failures say nothing of this one.
    pub(super) generation: u64,
    pub(super) ended: Arc<AtomicBool>,
    pub(super) spares: Spares,
}

/// What callers without a connection have to know.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// No attempt is under way.
    Idle,
    /// The first attempt since it was lost.
    Connecting,
    /// So many attempts have failed, the last one for this reason. No caller waits for the next one.
    Down {
        attempts: u32,
        failure: ConnectError,
        /// The same, for callers that have to do without a connection.
        cause: Cause,
    },
    Up,
}

impl Stage {
    /// After so many attempts to reach this server.
    pub(super) fn down(attempts: u32, failure: ConnectError, server: &str) -> Self {
        let cause = Arc::new(Error::from(failure.clone().of(server)));
        Self::Down { attempts, failure, cause }
    }
}
