//! Counters in Redis.

use std::time::Duration;

use ::redis::Value;

use super::{
    connection::{Command, CommandFailure},
    remote::Remote,
    script::{RemoteCall, Script, milliseconds},
};
use crate::{
    error::{Error, Kind, Result},
    link::Operation,
};

/// Adds `ARGV[1]` to a counter. One that this makes ends after `ARGV[2]` milliseconds, if that is given. The sum is
/// read as text: Lua's numbers have 53 bits.
static ADD: Script = Script::new(
    Operation::Count,
    r"
    local made = redis.call('EXISTS', KEYS[1]) == 0
    redis.call('INCRBY', KEYS[1], ARGV[1])
    if made and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return redis.call('GET', KEYS[1])",
);

impl Remote {
    /// See [`Cache::count`](crate::Cache::count).
    pub(super) async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        let name = self.names.counter(key);
        let call = if by == 0 {
            RemoteCall::Command(Operation::Count, Command::get(name.as_str()))
        } else if !self.runs_scripts_now() {
            if let Some(ttl) = ttl {
                // One that ends just after this is made again without an end, which is what a script is for.
                let make = Command::new("SET").key(&name).arg(0).arg("NX").arg("PX").arg(milliseconds(ttl));
                let _ = self.call_one(RemoteCall::Command(Operation::Count, make)).await;
            }
            RemoteCall::Command(Operation::Count, Command::new("INCRBY").key(&name).arg(by))
        } else {
            // A counter that ends at once would not be made at all.
            let ttl = ttl.map(|ttl| milliseconds(ttl).to_string()).unwrap_or_default();
            ADD.on(name, [by.to_string().into_bytes(), ttl.into_bytes()])
        };
        match self.call_one(call).await {
            Ok(Value::Nil) => Ok(0),
            Ok(Value::Int(sum)) => Ok(sum),
            Ok(Value::BulkString(text)) => {
                let sum = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                sum.ok_or_else(|| {
                    Kind::unavailable(format!("the counter {key:?} is not a number in Redis, so another program wrote it: delete it, or use a prefix of your own")).into()
                })
            }
            Err(CommandFailure::Refused(error)) if error.to_string().contains("overflow") => {
                Err(Error::counter_overflow(key))
            }
            Err(failure) => Err(failure.of(format_args!("the counter {key:?}"))),
            Ok(_) => Err(Kind::unavailable("Redis answered with something else than a number").into()),
        }
    }
}
