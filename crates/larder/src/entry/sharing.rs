//! Entries for stores that share them: what a message has to say of one, and one made of that.

use std::{sync::Arc, time::Duration};

use super::{
    Entry, Lifetime, Stored,
    facts::{Fact, Facts},
    rare::Rare,
};
use crate::{
    clock::Moment,
    epoch::{Announcement, Marked, ReadVersion, ValidAt},
    key::kept::KeptKey,
    scope::ScopeSet,
    stats::ComputeCost,
    value::{AnyValue, Transport, ValueType},
};

/// An entry that came from a shared store, or from disk.
pub(crate) struct Received {
    pub(crate) is_from_disk: bool,
    /// Where its computation began, and in local order, what came before it was judged.
    pub(crate) since: ReadVersion,
    pub(crate) life: Lifetime,
    /// When it was marked stale, if it was.
    pub(crate) marked: Option<Marked>,
    pub(crate) scopes: ScopeSet,
    pub(crate) value: Box<AnyValue>,
    pub(crate) value_type: ValueType,
    /// What such a value takes to compute, in nanoseconds.
    pub(crate) cost: u64,
}

impl Entry {
    /// The entry that a shared store gave, under this key with this hash.
    pub(crate) fn received((key, hash): (KeptKey, u64), received: Received) -> Self {
        let Received { is_from_disk, since, life, marked, scopes, value, value_type, cost } = received;
        // In local order it is as new as now: its mark would be behind its stamp.
        let life = marked.map_or(life, |Marked(at)| life.ended(at.unwrap_or(life.stored)));
        Self(Arc::new(Stored {
            hash,
            key,
            valid_at: ValidAt::new(since),
            since,
            life,
            scopes,
            facts: Facts::of([
                (Fact::Marked, marked.is_some()),
                (Fact::FromDisk, is_from_disk),
                (Fact::Error, value_type.is_error),
            ]),
            rare: Rare::of(Vec::new(), None, value_type.schema),
            value,
            transport: value_type.transport,
            group: value_type.group,
            cost: ComputeCost::from_nanos(cost),
        }))
    }

    /// For how long a store has to keep this entry from now on.
    pub(crate) fn retention_left(&self, now: Moment) -> Duration {
        self.0.life.end().since(now)
    }
}

impl Stored {
    /// Where its computation began.
    pub(crate) fn since(&self) -> ReadVersion {
        self.since
    }

    /// What its write to a server has to wait for.
    pub(crate) fn announcement(&self) -> Option<&Arc<Announcement>> {
        self.rare.as_ref()?.announcement.as_ref()
    }

    /// Whether what it was made from had been marked stale. Who reads it elsewhere could not tell.
    pub(crate) fn is_marked(&self) -> bool {
        self.facts.has(Fact::Marked)
    }

    pub(crate) fn schema(&self) -> Option<u32> {
        self.rare.as_ref()?.schema
    }

    /// The value, and how it becomes a message: none if it cannot.
    pub(crate) fn portable(&self) -> Option<(&AnyValue, &'static Transport)> {
        Some((&*self.value, self.transport?))
    }

    /// Says that the value cannot be shared.
    pub(crate) fn set_unshared(&self) {
        self.facts.set(Fact::Unshared);
    }
}
