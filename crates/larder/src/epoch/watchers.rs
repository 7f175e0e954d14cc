//! Listeners to what happens to all caches that share a log.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Epoch;
use crate::{
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
};

/// Receives what the log's reader, and the connections, find out.
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for what processes share"))]
pub(crate) trait Watcher: fmt::Debug + Send + Sync {
    /// Another process, of this number, invalidated this.
    fn invalidated(&self, scopes: &[ScopeHash], epoch: Epoch, sender: u64);

    /// A server, or the log, is gone, or there again.
    fn link(&self, name: &str, up: bool);
}

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    any: AtomicBool,
    all: Mutex<Vec<Weak<dyn Watcher>>>,
}

impl Watchers {
    /// Adds one, if it is not there.
    pub(crate) fn add(&self, watcher: &Arc<impl Watcher + 'static>) {
        let new: Weak<dyn Watcher> = Arc::downgrade(watcher) as _;
        let mut all = lock(&self.all);
        all.retain(|known| known.strong_count() > 0 && !Weak::ptr_eq(known, &new));
        all.push(new);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Tells all of them.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for what processes share"))]
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Watcher)) {
        if self.any.load(Ordering::Relaxed) {
            let all: Vec<_> = lock(&self.all).iter().filter_map(Weak::upgrade).collect();
            all.iter().for_each(|watcher| tell(&**watcher));
        }
    }
}
