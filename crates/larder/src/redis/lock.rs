//! Locks in Redis: see [`shared_locks`](crate::shared_locks). A lock is a hash.

use std::time::Duration;

use ::redis::Value;
use async_trait::async_trait;

use super::{
    remote::Remote,
    script::{self, Script},
};
use crate::{
    error::{Kind, Result},
    link::Operation,
    shared_locks::{LockStore, NotTaken},
};

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

#[async_trait]
impl LockStore for Remote {
    async fn take(&self, name: &str, token: &str, ttl: Duration) -> Result<Option<u64>, NotTaken> {
        // There is no lock without: another holder's may not be taken between two commands. See to it that scripts are
        // asked for again.
        let _ = self.runs_scripts().await;
        let take = TAKE.on(self.names.lock(name), [token.as_bytes().to_vec(), milliseconds(ttl)]);
        let number = match self.call_one(take).await {
            Ok(Value::Nil) => return Ok(None),
            Ok(Value::BulkString(number)) => {
                std::str::from_utf8(&number).ok().and_then(|text| text.parse().ok())
            }
            Ok(_) => None,
            Err(failure) => {
                let may_be_taken = failure.may_have_run();
                return Err(NotTaken { error: failure.into(), may_be_taken });
            }
        };
        let strange = || Kind::unavailable("Redis answered with something else than a fencing token").into();
        number.map(Some).ok_or_else(|| NotTaken { error: strange(), may_be_taken: true })
    }

    async fn prolong(&self, name: &str, token: &str, ttl: Option<Duration>) -> Result<bool> {
        let more = ttl.map_or_else(|| b"0".to_vec(), milliseconds);
        let prolong = PROLONG.on(self.names.lock(name), [token.as_bytes().to_vec(), more]);
        Ok(self.call_one(prolong).await? == Value::Int(1))
    }
}

fn milliseconds(ttl: Duration) -> Vec<u8> {
    script::milliseconds(ttl).to_string().into_bytes()
}
