//! Who waits for a lease in this process.

use std::{collections::HashMap, future::Future};

use tokio::sync::watch;

use crate::{
    panic_guard,
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
};

/// Those who wait, by the key that they wait for.
#[derive(Debug, Default)]
pub(super) struct LeaseWaiters(Mutex<HashMap<ScopeHash, watch::Sender<Option<bool>>>>);

impl LeaseWaiters {
    /// Waits for the next wake of this key from now on; true if its value was stored.
    pub(super) fn listen(&self, key: ScopeHash) -> impl Future<Output = bool> + use<> {
        let mut waiters = lock(&self.0);
        if waiters.len() >= MANY && waiters.len().is_power_of_two() {
            waiters.retain(|_, waiter| waiter.receiver_count() > 0);
        }
        let mut waiter = waiters.entry(key).or_insert_with(|| watch::Sender::new(None)).subscribe();
        async move {
            match waiter.wait_for(Option::is_some).await {
                Ok(filled) => filled.unwrap_or(true),
                // No more will be said: look again.
                Err(_) => true,
            }
        }
    }

    /// Wakes those who wait for this key.
    pub(super) fn wake(&self, key: ScopeHash, filled: bool) {
        let waiter = lock(&self.0).remove(&key);
        if let Some(waiter) = waiter {
            // It calls wakers: code that is not larder's, on the thread that reads the log.
            let _ = panic_guard::contain(|| waiter.send_replace(Some(filled)));
        }
    }
}

/// From here on, keys that no caller waits for any longer are looked for and let go of.
const MANY: usize = 1024;
