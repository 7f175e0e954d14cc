//! How an entry stands by its header alone, for those who list entries.

use std::time::Duration;

use super::SharedEntries;
use crate::{clock::Moment, entry::Freshness, epoch::Marked, wire::Envelope};

/// How an entry stands for this process.
pub(crate) struct Standing {
    /// Whether it would be served, fresh or stale, as far as its header tells.
    pub(crate) is_servable: bool,
    pub(crate) age: Duration,
    pub(crate) remaining_ttl: Duration,
}

impl SharedEntries {
    /// What is judged before a value is read.
    pub(crate) fn standing(&self, now: Moment, envelope: &Envelope) -> Standing {
        let remaining = envelope.times.remaining(self.server_now());
        let is_valid = self.order.is_possible(envelope.epoch)
            && self.order.judge(&envelope.scopes, envelope.epoch).is_some();
        let life = remaining.life(now);
        let marked = self.order.marked(&envelope.scopes, envelope.epoch, life.stored);
        let life = marked.map_or(life, |Marked(at)| life.ended(at.unwrap_or(life.stored)));
        Standing {
            is_servable: is_valid && life.freshness(now) != Freshness::Expired,
            age: remaining.age,
            remaining_ttl: life.ttl_end.since(now),
        }
    }
}
