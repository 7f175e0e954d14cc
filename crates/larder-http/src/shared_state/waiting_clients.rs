//! The clients that wait for each response: as long as there is one, its handler does not work in vain.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The number of clients that wait, by the key of the response. As many keys as requests that are being answered by
/// handlers.
#[derive(Debug, Default)]
pub(crate) struct WaitingClients(Mutex<HashMap<String, usize>>);

/// A client that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct WaitingClient<'a> {
    clients: &'a WaitingClients,
    key: String,
}

impl WaitingClients {
    pub(crate) fn enter(&self, key: &str) -> WaitingClient<'_> {
        *self.lock().entry(key.to_owned()).or_default() += 1;
        WaitingClient { clients: self, key: key.to_owned() }
    }

    pub(crate) fn any(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitingClient<'_> {
    fn drop(&mut self) {
        let mut clients = self.clients.lock();
        if let Some(count) = clients.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.key);
            }
        }
    }
}
