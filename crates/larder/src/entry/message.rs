//! Entries as messages: on their way to a server, and back.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use super::{Entry, Lifetime, Stored};
use crate::{
    clock::Moment,
    epoch::{Announcement, Epoch, ReadVersion, ValidAt},
    mutant, scope,
    value::Held,
    wire::{Envelope, Remaining, Times, Unencodable, Wire},
};

/// What a message says of an entry, found acceptable.
pub(crate) struct Received {
    /// Where its computation began, and in local order, what came before it was judged.
    pub(crate) since: ReadVersion,
    pub(crate) remaining: Remaining,
    pub(crate) envelope: Envelope,
    pub(crate) value: Box<dyn Held>,
}

impl Entry {
    /// The entry that a message holds, to live for what is left of its time.
    pub(crate) fn received((key, hash): (Arc<str>, u64), now: Moment, received: Received) -> Self {
        let Received { since, remaining, envelope, value } = received;
        Self(Arc::new(Stored {
            hash,
            key,
            valid_at: ValidAt::new(since),
            since,
            announcement: None,
            life: Lifetime {
                stored: now,
                refresh_due: now.after(remaining.prompt),
                ttl_end: now.after(remaining.fresh),
                revalidate_end: now.after(remaining.revalidate),
                on_error_end: now.after(remaining.on_error),
            },
            scopes: envelope.scopes,
            foreign_dependencies: None,
            schema: None,
            unshared: AtomicBool::new(false),
            value,
        }))
    }

    /// The entry as a message. `now` is the time on this process' clock and on the server's.
    pub(crate) fn message(
        &self,
        wire: &Wire,
        epoch: Epoch,
        now: (Moment, u64),
    ) -> Result<Vec<u8>, Unencodable> {
        let narrow = mutant::is("own-scopes-on-the-wire");
        let scopes = if narrow { scope::covering(&self.0.key, &[]) } else { self.0.scopes.clone() };
        let envelope = Envelope { epoch, times: self.0.life.times(now), scopes };
        self.0.value.to_bytes(wire, &envelope, self.0.schema)
    }

    /// The name of the value's type: for people.
    pub(crate) fn type_name(&self) -> &'static str {
        self.0.value.type_name()
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
        self.announcement.as_ref()
    }
}

impl Lifetime {
    fn times(&self, (now, server_now): (Moment, u64)) -> Times {
        let age = u64::try_from(now.since(self.stored).as_millis()).unwrap_or(u64::MAX);
        Times {
            created: server_now.saturating_sub(age),
            prompt: self.refresh_due.since(self.stored),
            fresh: self.ttl_end.since(self.stored),
            revalidate: self.revalidate_end.since(self.ttl_end),
            on_error: self.on_error_end.since(self.ttl_end),
        }
    }
}
