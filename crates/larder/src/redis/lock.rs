//! Locks in Redis.
//!
//! A lock is a hash with the holder's token, the end of its time by the server's clock, and the last fencing token.
//! It outlives its holder by a day, so that fencing tokens go on growing; after that, and after a loss of the data,
//! they go on from the server's clock in microseconds, which is above them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::Value;
use async_trait::async_trait;
use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    Remote,
    script::{self, Script},
};
use crate::{
    backoff::Backoff,
    clock::boot_time::Instant,
    error::{Kind, Result},
    link::Operation,
    lock::{HeldLock, LockGuard},
};

/// How often a guard renews its lock in the time after which it would end.
const RENEWALS: u32 = 3;

/// Takes a lock for the token `ARGV[1]` and `ARGV[2]` milliseconds, and returns its number. What is no number, or one
/// that no server gave (Lua's have 53 bits), counts as none.
static TAKE: Script = Script::new(
    Operation::Lock,
    r"
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local there = redis.call('HMGET', KEYS[1], 'until', 'number')
    local ends, last = tonumber(there[1] or 0) or 0, tonumber(there[2] or 0) or 0
    if ends > now and ends < 2^52 then return false end
    local number = time[1] * 1000000 + time[2]
    if last >= number and last < 2^52 then number = last + 1 end
    ends = now + tonumber(ARGV[2])
    redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', string.format('%.0f', ends), 'number', string.format('%.0f', number))
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[2]) + 86400000))
    return string.format('%.0f', number)",
);

/// Gives `ARGV[2]` more milliseconds, from now on, to the holder of the token `ARGV[1]`; zero ends the lock.
static PROLONG: Script = Script::new(
    Operation::Lock,
    r"
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local there = redis.call('HMGET', KEYS[1], 'token', 'until')
    if there[1] ~= ARGV[1] or (tonumber(there[2] or 0) or 0) <= now then return 0 end
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])))
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[2]) + 86400000))
    return 1",
);

impl Remote {
    /// See [`Cache::take_lock`](crate::Cache::take_lock).
    pub(super) async fn take_lock(self: &Arc<Self>, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
        let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        // There is no lock without: another holder's may not be taken between two commands. See to it that scripts are
        // asked for again.
        let _ = self.runs_scripts().await;
        let lock = RedisLock {
            remote: self.clone(),
            key: self.names.lock(name),
            token,
            asked: Instant::now(),
            ends: AtomicU64::new(0),
        };
        lock.ends_after(lock.asked, ttl);
        let mut asked = Asked(Some(Arc::new(lock)));
        let number = asked.take(ttl).await?;
        let lock = asked.0.take();
        Ok(number.zip(lock).map(|(number, lock)| LockGuard::new(name, number, HeldInRedis::new(lock, ttl))))
    }
}

/// A lock that was asked for, and perhaps taken: dropped before the answer is known, it is given back.
struct Asked(Option<Arc<RedisLock>>);

impl Asked {
    /// Takes it, if it is free: then this is its number.
    async fn take(&self, ttl: Duration) -> Result<Option<u64>> {
        let lock = self.0.as_ref().expect("it is asked for once");
        let take = TAKE.on(lock.key.clone(), [lock.token.clone().into_bytes(), milliseconds(ttl)]);
        let reply = lock.remote.call_one(take).await;
        if reply.as_ref().is_err_and(|failure| !failure.may_have_run()) {
            lock.ends.store(0, Ordering::Relaxed);
        }
        let number = match reply? {
            Value::Nil => return Ok(None),
            Value::BulkString(number) => std::str::from_utf8(&number).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let strange = || Kind::unavailable("Redis answered with something else than a fencing token");
        Ok(Some(number.ok_or_else(strange)?))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(lock) = self.0.take().filter(|lock| lock.is_held()) {
            give_back(lock);
        }
    }
}

/// Ends a lock, in a task that tries until the server answers, for a minute at most. Without a runtime, and after that, it ends
/// by itself.
fn give_back(lock: Arc<RedisLock>) {
    const LONGEST: Duration = Duration::from_secs(60);
    let Ok(runtime) = Handle::try_current() else { return };
    let begun = Instant::now();
    runtime.spawn(async move {
        let mut backoff = Backoff::new();
        while lock.prolong(None).await.is_err() && lock.is_held() && Instant::now().since(begun) < LONGEST {
            backoff.wait().await;
        }
    });
}

fn milliseconds(ttl: Duration) -> Vec<u8> {
    script::milliseconds(ttl).to_string().into_bytes()
}

/// A lock that was taken.
struct RedisLock {
    remote: Arc<Remote>,
    key: String,
    token: String,
    /// When it was asked for: from here on its time is counted.
    asked: Instant,
    /// When it ends if it is not prolonged, in microseconds from then. Zero: it is lost or released.
    ends: AtomicU64,
}

impl RedisLock {
    fn is_held(&self) -> bool {
        let ends = Duration::from_micros(self.ends.load(Ordering::Relaxed));
        Instant::now().since(self.asked) < ends
    }

    fn ends_after(&self, asked: Instant, ttl: Duration) {
        let ends = asked.since(self.asked).saturating_add(ttl).as_micros();
        self.ends.store(u64::try_from(ends).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Prolongs the lock, or ends it at once.
    async fn prolong(&self, ttl: Option<Duration>) -> Result<bool> {
        let asked = Instant::now();
        let more = ttl.map_or_else(|| b"0".to_vec(), milliseconds);
        let prolong = PROLONG.on(self.key.clone(), [self.token.clone().into_bytes(), more]);
        match self.remote.call_one(prolong).await {
            Ok(held) => {
                let held = held == Value::Int(1);
                match ttl.filter(|_| held) {
                    Some(ttl) => self.ends_after(asked, ttl),
                    None => self.ends.store(0, Ordering::Relaxed),
                }
                Ok(held)
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

/// What a guard holds: the lock, and the task that renews it.
struct HeldInRedis {
    lock: Arc<RedisLock>,
    renewal: AbortHandle,
}

impl HeldInRedis {
    fn new(lock: Arc<RedisLock>, ttl: Duration) -> Self {
        let renewal = tokio::spawn({
            let lock = lock.clone();
            async move {
                let mut interval = tokio::time::interval((ttl / RENEWALS).max(Duration::from_millis(1)));
                interval.tick().await;
                loop {
                    interval.tick().await;
                    if let Ok(false) = lock.prolong(Some(ttl)).await {
                        return;
                    }
                }
            }
        });
        Self { lock, renewal: renewal.abort_handle() }
    }

    fn stop_renewing(&self) {
        self.renewal.abort();
    }
}

#[async_trait]
impl HeldLock for HeldInRedis {
    fn is_held(&self) -> bool {
        self.lock.is_held()
    }

    async fn renew(&mut self, ttl: Duration) -> Result<bool> {
        self.lock.prolong(Some(ttl)).await
    }

    async fn release(&mut self) -> Result<bool> {
        self.stop_renewing();
        self.lock.prolong(None).await
    }
}

impl Drop for HeldInRedis {
    fn drop(&mut self) {
        self.stop_renewing();
        // A release that was given up halfway is made good.
        if self.lock.is_held() {
            give_back(self.lock.clone());
        }
    }
}
