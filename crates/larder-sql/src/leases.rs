//! Leases and locks in a table: who computes a key, and who holds a name, among all processes.

use std::time::Duration;

use async_trait::async_trait;
use larder::{
    Core, Entry, Lookup, Operation, Result, ValueType,
    internal::shared::{
        LeaseAttempt, LeaseHolder, LeaseRequest, LeaseStore, Leases, LockStore, NotTaken, StoreOutcome,
    },
};

use crate::{
    database::{Ask, milliseconds},
    remote::Remote,
    statement_failure::NotDone,
};

#[async_trait]
impl LeaseStore for Remote {
    fn leases(&self) -> &Leases {
        Self::leases(self)
    }

    fn may_be_asked(&self) -> bool {
        !self.has_just_timed_out()
    }

    async fn acquire(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        request: LeaseRequest,
    ) -> LeaseAttempt {
        let LeaseRequest { own, outdated, waits, lifetime } = request;
        let ask = Ask {
            place: &self.places().entry(at.key),
            own: own.bytes(),
            outdated: outdated.as_ref().map_or(&[], LeaseHolder::bytes),
            waits,
            lifetime_ms: milliseconds(lifetime),
        };
        let (holder, message) = match self.ask(Operation::Lease, self.database().lease(ask)).await {
            Ok(there) => there,
            Err(failed) => {
                self.count_failed_reads(core, of, 1, failed.outcome);
                return LeaseAttempt::OutOfReach;
            }
        };
        let entry = match message {
            Some(message) => self.receive(core, at, of, Some(message)).await,
            None => None,
        };
        match LeaseHolder::parse(&holder) {
            Some(holder) if holder == own => LeaseAttempt::Acquired(entry),
            Some(holder) => LeaseAttempt::HeldBy(holder, entry),
            None => LeaseAttempt::OutOfReach,
        }
    }

    async fn look(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        self.read(core, &[at], of).await.pop().flatten()
    }

    async fn renew(&self, key: &str, holder: LeaseHolder, lifetime: Duration) -> bool {
        let place = self.places().entry(key);
        let renewed = self.database().renew(&place, holder.bytes(), milliseconds(lifetime));
        !matches!(self.ask(Operation::Lease, renewed).await, Ok(false))
    }

    async fn release(&self, key: &str, holder: LeaseHolder) -> bool {
        let place = self.places().entry(key);
        matches!(self.ask(Operation::Lease, self.database().release(&place, holder.bytes())).await, Ok(true))
    }
}

#[async_trait]
impl LockStore for Remote {
    async fn take(&self, name: &str, token: &str, ttl: Duration) -> Result<Option<u64>, NotTaken> {
        let place = self.places().lock(name);
        let taken = self.ask(Operation::Lock, self.database().take(&place, token, milliseconds(ttl))).await;
        match taken {
            Ok(number) => Ok(number.map(i64::cast_unsigned)),
            Err(failed) => {
                let may_be_taken = failed.outcome != StoreOutcome::Refused;
                Err(NotTaken { error: refused(name, failed), may_be_taken })
            }
        }
    }

    async fn prolong(&self, name: &str, token: &str, ttl: Option<Duration>) -> Result<bool> {
        let place = self.places().lock(name);
        let more = milliseconds(ttl.unwrap_or_default());
        let prolonged = self.ask(Operation::Lock, self.database().prolong(&place, token, more)).await;
        prolonged.map_err(|failed| refused(name, failed))
    }
}

fn refused(name: &str, failed: NotDone) -> larder::Error {
    failed.of(format_args!("the lock {name:?}"))
}
