//! Handles of a connection that are not in use.

use std::sync::Mutex;

use ::redis::aio::MultiplexedConnection;

use crate::{cache_padded::CachePadded, stats::thread_number};

/// Handles of one connection, for one caller at a time each. To clone one for each call would have all threads meet
/// at the counts of what handles share.
#[derive(Default)]
pub(super) struct Spares([CachePadded<Mutex<Vec<MultiplexedConnection>>>; Spares::SHARDS]);

impl Spares {
    const SHARDS: usize = 16;

    /// In each shard.
    const MOST: usize = 64;

    pub(super) fn take(&self) -> Option<MultiplexedConnection> {
        self.here().try_lock().ok()?.pop()
    }

    pub(super) fn put_back(&self, spare: MultiplexedConnection) {
        if let Ok(mut spares) = self.here().try_lock()
            && spares.len() < Self::MOST
        {
            spares.push(spare);
        }
    }

    fn here(&self) -> &Mutex<Vec<MultiplexedConnection>> {
        &self.0[thread_number() % Self::SHARDS]
    }
}
