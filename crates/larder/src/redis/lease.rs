//! Leases in Redis: see [`shared_leases`](crate::shared_leases).
//!
//! A lease is a key with the holder's bytes, and one more: a mark that a caller waits.

mod plain;

use std::time::Duration;

use ::redis::Value;
use async_trait::async_trait;

use super::{
    remote::Remote,
    script::{RemoteCall, Script, milliseconds},
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    link::Operation,
    shared_entries::StoreOutcome,
    shared_leases::{LeaseAttempt, LeaseHolder, LeaseRequest, LeaseStore, Leases},
    value::ValueType,
};

/// Takes a lease that is free, or is held as `ARGV[3]` says, or is none of ours: of another form, or without an
/// end, it would hold up all callers forever. Otherwise marks that a caller waits, if `ARGV[4]` is 1, and returns the
/// holder.
static ACQUIRE: Script = Script::new(
    Operation::Lease,
    r"
    local there = redis.pcall('GET', KEYS[1])
    if type(there) ~= 'string' or #there ~= 25 or string.sub(there, 1, 24) == ARGV[3]
        or redis.call('PTTL', KEYS[1]) < 0 then
      redis.call('SET', KEYS[1], ARGV[1] .. '-', 'PX', ARGV[2])
      return false
    end
    if ARGV[4] == '1' then redis.call('SETRANGE', KEYS[1], 24, 'w') end
    return there",
);

/// Renews a lease if its token is still `ARGV[1]`.
static RENEW: Script = Script::new(
    Operation::Lease,
    r"
    local there = redis.pcall('GET', KEYS[1])
    if type(there) == 'string' and string.sub(there, 1, 16) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return 0",
);

/// Gives a lease back if its token is still `ARGV[1]`. Tells whether a caller waits.
static RELEASE: Script = Script::new(
    Operation::Lease,
    r"
    local there = redis.pcall('GET', KEYS[1])
    if type(there) == 'string' and string.sub(there, 1, 16) == ARGV[1] then
      redis.call('DEL', KEYS[1])
      if string.sub(there, 25, 25) == 'w' then return 1 end
    end
    return 0",
);

#[async_trait]
impl LeaseStore for Remote {
    fn leases(&self) -> &Leases {
        &self.leases
    }

    fn may_be_asked(&self) -> bool {
        !self.has_just_failed()
    }

    /// In one round trip, of which the lease is the first part: in a cluster too, where both lie in one slot.
    async fn acquire(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        request: LeaseRequest,
    ) -> LeaseAttempt {
        let LeaseRequest { own, outdated, waits, lifetime } = request;
        let read = RemoteCall::Command(Operation::Read, self.entry_read(at.key));
        let (leased, found) = if self.runs_scripts_now() {
            let arguments = vec![
                own.bytes().to_vec(),
                milliseconds(lifetime).to_string().into_bytes(),
                outdated.map(|holder| holder.bytes().to_vec()).unwrap_or_default(),
                vec![if waits { b'1' } else { b'0' }],
            ];
            let acquire = ACQUIRE.on(self.names.lease(at.key), arguments);
            let mut replies = self.call(vec![acquire, read]).await.into_iter();
            (replies.next(), replies.next())
        } else {
            self.acquire_plainly(&self.names.lease(at.key), request, read).await
        };
        let (leased, found) = match (leased, found) {
            (Some(Ok(leased)), Some(found)) => (leased, found),
            (Some(Err(failure)), _) => {
                StoreOutcome::from(&failure).count(core, of.group);
                return LeaseAttempt::OutOfReach;
            }
            _ => return LeaseAttempt::OutOfReach,
        };
        let entry = match found {
            Ok(Value::BulkString(message)) => self.entries.opened(core, at, of, (message, None)).await,
            _ => None,
        };
        match leased {
            Value::Nil => LeaseAttempt::Acquired(entry),
            Value::BulkString(there) => match LeaseHolder::parse(&there) {
                Some(holder) => LeaseAttempt::HeldBy(holder, entry),
                None => LeaseAttempt::OutOfReach,
            },
            _ => LeaseAttempt::OutOfReach,
        }
    }

    /// Of the master: no replica may have what was stored just now.
    async fn look(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        let now = tokio::time::Instant::now();
        self.read_one_from_master(core, at, of, (now.into_std(), now)).await
    }

    async fn renew(&self, key: &str, holder: LeaseHolder, lifetime: Duration) -> bool {
        let name = self.names.lease(key);
        let renewed = if self.runs_scripts_now() {
            let arguments = vec![holder.token().to_vec(), milliseconds(lifetime).to_string().into_bytes()];
            self.call_one(RENEW.on(name, arguments)).await
        } else {
            self.renew_plainly(&name, holder, lifetime).await
        };
        !matches!(renewed, Ok(Value::Int(0)))
    }

    async fn release(&self, key: &str, holder: LeaseHolder) -> bool {
        let name = self.names.lease(key);
        let released = if self.runs_scripts_now() {
            self.call_one(RELEASE.on(name, [holder.token().to_vec()])).await
        } else {
            self.release_plainly(&name, holder).await
        };
        matches!(released, Ok(Value::Int(1)))
    }
}
