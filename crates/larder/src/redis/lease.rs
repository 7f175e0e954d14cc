//! Leases: one computation of a key in all processes that share a server.
//!
//! A lease is a key in Redis with the holder's token, the position at which its computation began, and a mark
//! that a caller waits. It ends by itself unless the holder renews it, so that a holder that died holds up
//! no caller for long. Callers that wait are woken through the log when the holder is done; polling is the fallback. They
//! wait for one lifetime at most from their arrival on, however often the lease is renewed, and in a batch for as many
//! keys as there may be: two processes that wait for each other, or a holder that hangs, stop no caller for longer.
//!
//! A lease decides who computes, and nothing else. Whether a value is valid is never its matter, so that it does
//! no harm if two processes hold one, after a failover or a pause.

mod plain;
mod waiters;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::Value;
use tokio::{runtime::Handle, task::AbortHandle};

pub(super) use self::waiters::LeaseWaiters;
use super::{
    Remote,
    connection::Command,
    entries::count_failure,
    script::{RemoteCall, Script, milliseconds},
};
use crate::{
    cache::{HeldLease, Lease, Leased},
    cache_core::{Core, Lookup},
    clock::instant_after,
    entry::{Entry, Freshness},
    epoch::Epoch,
    link::Operation,
    scope::ScopeHash,
    value::ValueType,
};

/// A lease that is not renewed ends after this part of the time that others wait for it at most: those who
/// waited for a holder that died have time left to wait for the next one.
const PARTS: u32 = 3;

/// How often a lease is renewed in the time after which it would end.
const RENEWALS: u32 = 3;

/// The first and the longest pause between two looks at a lease that another process holds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

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

/// Who holds a lease: a token, and the position at which the computation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder([u8; 24]);

impl Holder {
    fn new(epoch: Epoch) -> Self {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        bytes[8..16].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        bytes[16..].copy_from_slice(&epoch.number().to_be_bytes());
        Self(bytes)
    }

    fn parse(there: &[u8]) -> Option<Self> {
        there.get(..24).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }

    fn token(&self) -> Vec<u8> {
        self.0[..16].to_vec()
    }

    fn epoch(&self) -> Epoch {
        Epoch::from_number(u64::from_be_bytes(self.0[16..].try_into().expect("eight bytes are left")))
    }
}

/// What came of one attempt.
enum Attempt {
    Acquired(Option<Entry>),
    HeldBy(Holder, Option<Entry>),
    OutOfReach,
}

impl Remote {
    /// See [`Cache::lease`](crate::Cache::lease).
    pub(super) async fn lease(
        self: &Arc<Self>,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (cover, patience): (&[ScopeHash], Option<Duration>),
    ) -> Leased {
        if Handle::try_current().is_err() {
            return Leased::Free;
        }
        let log = self.log.order();
        let (waits, end) = (patience.is_some(), instant_after(patience.unwrap_or_default()));
        let mut pause = PAUSES.0;
        let mut outdated = None;
        loop {
            // Before the look: a fill after it wakes this one.
            let wake = self.lease_waiters.listen(ScopeHash::key(at.key));
            let own = Holder::new(log.position());
            if self.has_just_failed() {
                return Leased::Free;
            }
            // Before the attempt: if its caller goes away, or the reply comes too late, it may have succeeded.
            let mut held = Held::new(self, at.key, own);
            let attempt = self.acquire(core, at, of, (own, outdated, waits)).await;
            held.is_ours = !matches!(attempt, Attempt::HeldBy(..));
            match attempt {
                Attempt::OutOfReach => return Leased::Free,
                Attempt::Acquired(Some(entry)) => {
                    // Others may have begun to wait already.
                    held.fill();
                    return Leased::Found(entry);
                }
                Attempt::Acquired(None) => {
                    held.renew();
                    return Leased::Held(Lease::new(held));
                }
                Attempt::HeldBy(_, Some(entry)) => return Leased::Found(entry),
                Attempt::HeldBy(holder, None)
                    if !log.accepts(cover, holder.epoch()) && outdated != Some(holder) =>
                {
                    // Whatever comes of that computation is no longer wanted.
                    outdated = Some(holder);
                }
                Attempt::HeldBy(..) if !waits => return Leased::Elsewhere,
                Attempt::HeldBy(..) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        core.count_in(of.group, |counters| &counters.lease_timeouts);
                        return Leased::Free;
                    }
                    match tokio::time::timeout(pause.min(left), wake).await {
                        Ok(filled) if !filled => return Leased::Free,
                        Ok(_) => {
                            // Of the master: no replica may have what was stored just now.
                            if let Some(entry) = self.read_one_from_master(core, at, of, Instant::now()).await
                            {
                                return Leased::Found(entry);
                            }
                        }
                        Err(_) => pause = (pause * 3 / 2).min(PAUSES.1),
                    }
                }
            }
        }
    }

    /// Tries to take a lease, and looks at the entry in the same round trip.
    async fn acquire(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (own, outdated, waits): (Holder, Option<Holder>, bool),
    ) -> Attempt {
        let read = RemoteCall::Command(Operation::Read, Command::get(&self.names.entry(at.key)));
        let (leased, found) = if self.runs_scripts().await {
            let lifetime = milliseconds(self.lease_lifetime / PARTS);
            let arguments = vec![
                own.0.to_vec(),
                lifetime.to_string().into_bytes(),
                outdated.map(|holder| holder.0.to_vec()).unwrap_or_default(),
                vec![if waits { b'1' } else { b'0' }],
            ];
            let acquire = ACQUIRE.on(self.names.lease(at.key), arguments);
            let mut replies = self.call(vec![acquire, read]).await.into_iter();
            (replies.next(), replies.next())
        } else {
            self.acquire_plainly(&self.names.lease(at.key), (own, outdated), read).await
        };
        let (leased, found) = match (leased, found) {
            (Some(Ok(leased)), Some(found)) => (leased, found),
            (Some(Err(failure)), _) => {
                count_failure(core, of.group, &failure);
                return Attempt::OutOfReach;
            }
            _ => return Attempt::OutOfReach,
        };
        let entry = match found {
            Ok(Value::BulkString(message)) => self.receive(core, at, of, message).await,
            _ => None,
        };
        // A caller that does not wait refreshes what there is: only something newer will do.
        let sought = if waits { Freshness::StaleIfError } else { Freshness::RefreshAhead };
        let entry = entry.filter(|entry| entry.0.freshness(core.now()) < sought);
        match leased {
            Value::Nil => Attempt::Acquired(entry),
            Value::BulkString(there) => match Holder::parse(&there) {
                Some(holder) => Attempt::HeldBy(holder, entry),
                None => Attempt::OutOfReach,
            },
            _ => Attempt::OutOfReach,
        }
    }
}

/// A lease that is held, or may be.
struct Held {
    remote: Arc<Remote>,
    name: String,
    scope: ScopeHash,
    holder: Holder,
    /// False once another holder is known.
    is_ours: bool,
    filled: bool,
    renewal: Option<AbortHandle>,
}

impl Held {
    fn new(remote: &Arc<Remote>, key: &str, holder: Holder) -> Self {
        Self {
            remote: remote.clone(),
            name: remote.names.lease(key),
            scope: ScopeHash::key(key),
            holder,
            is_ours: true,
            filled: false,
            renewal: None,
        }
    }

    /// Renews it until it is dropped.
    fn renew(&mut self) {
        let (remote, name, holder) = (self.remote.clone(), self.name.clone(), self.holder);
        let renewal = tokio::spawn(async move {
            let lifetime = remote.lease_lifetime / PARTS;
            let mut interval = tokio::time::interval(lifetime / RENEWALS);
            interval.tick().await;
            loop {
                interval.tick().await;
                let renewed = if remote.runs_scripts().await {
                    let arguments = vec![holder.token(), milliseconds(lifetime).to_string().into_bytes()];
                    remote.call_one(RENEW.on(name.clone(), arguments)).await
                } else {
                    remote.renew_plainly(&name, holder, lifetime).await
                };
                if let Ok(Value::Int(0)) = renewed {
                    return;
                }
            }
        });
        self.renewal = Some(renewal.abort_handle());
    }
}

impl HeldLease for Held {
    fn fill(&mut self) {
        self.filled = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        if !self.is_ours {
            return;
        }
        // Without a runtime there is no task to send it; the lease ends by itself.
        let Ok(runtime) = Handle::try_current() else { return };
        let (remote, name, scope, filled) =
            (self.remote.clone(), std::mem::take(&mut self.name), self.scope, self.filled);
        let holder = self.holder;
        runtime.spawn(async move {
            let released = if remote.runs_scripts().await {
                remote.call_one(RELEASE.on(name, [holder.token()])).await
            } else {
                remote.release_plainly(&name, holder).await
            };
            if let Ok(Value::Int(1)) = released {
                remote.log.wake(scope, filled);
            }
        });
    }
}
