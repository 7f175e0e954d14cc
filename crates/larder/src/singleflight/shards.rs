//! The table of computations under way.

use std::{collections::HashMap, sync::Arc};

use foldhash::quality::RandomState;

use super::in_flight::{InFlight, WorkKey};
#[cfg(test)]
use crate::sync::lock;
use crate::{cache_padded::CachePadded, sync::Mutex};

/// The computations of one cache, by the hashes of their keys.
pub(super) struct Shards(Box<[CachePadded<Mutex<Shard>>]>);

#[derive(Default)]
pub(super) struct Shard {
    pub(super) under_way: HashMap<WorkKey, UnderWay, RandomState>,
    /// Numbers computations in the order of their beginnings.
    pub(super) begun: u64,
}

/// The computations of one key and type: at most two, the older of them outdated.
pub(super) struct UnderWay {
    pub(super) current: Arc<InFlight>,
    pub(super) outdated: Option<Arc<InFlight>>,
}

impl Shards {
    /// One under the model checker, which follows each lock.
    const SHARDS: usize = if cfg!(larder_loom) { 1 } else { 64 };

    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(CachePadded::default).take(Self::SHARDS).collect())
    }

    /// That of a key with this hash.
    pub(super) fn of(&self, hash: u64) -> &Mutex<Shard> {
        // The table of entries uses the low bits.
        &self.0[(hash >> 32) as usize % Self::SHARDS]
    }

    /// How many computations are under way.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).under_way.len()).sum()
    }
}

impl Shard {
    /// Takes a computation out of the table, if it is still there: a later one of its key and type stays.
    pub(super) fn remove(&mut self, in_flight: &Arc<InFlight>) {
        let Some(under_way) = self.under_way.remove(&in_flight.work) else { return };
        if let Some(rest) = under_way.without(in_flight) {
            self.under_way.insert(in_flight.work.clone(), rest);
        }
    }
}

impl UnderWay {
    /// What is left without this one.
    fn without(self, in_flight: &Arc<InFlight>) -> Option<Self> {
        let Self { current, outdated } = self;
        match outdated {
            Some(outdated) if Arc::ptr_eq(&outdated, in_flight) => Some(Self { current, outdated: None }),
            outdated if !Arc::ptr_eq(&current, in_flight) => Some(Self { current, outdated }),
            outdated => outdated.map(|current| Self { current, outdated: None }),
        }
    }
}
