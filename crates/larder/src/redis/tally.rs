//! Counters in shards and windows, and rankings.

use std::time::Duration;

use ::redis::Value;

use super::{
    connection::{Command, CommandFailure, Reply, Unavailable},
    remote::Remote,
    script::{RemoteCall, Script, milliseconds},
};
use crate::{
    error::{Error, Kind, Result},
    link::Operation,
    tally::{Expiry, Tallied, Tally, Top},
};

/// What of errors names it.
const COUNTER: &str = "a counter";
const RANKING: &str = "a ranking";

/// Adds `ARGV[1]` to a number, and has it end after `ARGV[2]` milliseconds: counted from the first increment, or from this
/// one if `ARGV[3]` is 1.
static ADD: Script = Script::new(
    Operation::Count,
    r"
    redis.call('INCRBY', KEYS[1], ARGV[1])
    if ARGV[3] == '1' or redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return 1",
);

/// Adds `ARGV[2]` to the member `ARGV[1]`. One that finds no room among `ARGV[3]` takes the place of the lowest, and
/// begins with what that had. The ranking ends after `ARGV[4]` milliseconds, if that is given.
static RANK: Script = Script::new(
    Operation::Count,
    r"
    if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
      local start = 0
      while redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) do start = redis.call('ZPOPMIN', KEYS[1])[2] end
      redis.call('ZADD', KEYS[1], start, ARGV[1])
    end
    redis.call('ZINCRBY', KEYS[1], ARGV[2], ARGV[1])
    if ARGV[4] ~= '' and redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
    return 1",
);

impl Remote {
    /// See [`SharedStorage::tally`](crate::SharedStorage::tally).
    pub(super) async fn tally(&self, tally: Tally<'_>) -> Result<Tallied> {
        match tally {
            Tally::Add { key, by, expiry } => self.add(key, by, expiry).await.map(|()| Tallied::Added),
            Tally::Sum { keys } => self.sum(keys).await.map(Tallied::Sum),
            Tally::Rank { key, member, by, capacity, ttl } => {
                self.check_members()?;
                if !self.runs_scripts().await {
                    return Err(CommandFailure::from(Unavailable::Scripts).of(RANKING));
                }
                let arguments = [
                    member.to_owned(),
                    by.to_string(),
                    capacity.to_string(),
                    ttl.map(|ttl| milliseconds(ttl).to_string()).unwrap_or_default(),
                ];
                let call = RANK.on(self.names.ranking(key), arguments.map(String::into_bytes));
                self.call_one(call).await.map_err(|failure| failure.of(RANKING))?;
                Ok(Tallied::Added)
            }
            Tally::Top { key, members, capacity } => {
                self.check_members()?;
                self.top(key, members, capacity).await.map(Tallied::Top)
            }
        }
    }

    async fn add(&self, key: &str, by: i64, expiry: Expiry) -> Result<()> {
        let name = self.names.number(key);
        let (lifetime, prolongs) = match expiry {
            Expiry::Never => {
                let add = Command::new("INCRBY").key(&name).arg(by);
                return added(key, self.call_one(RemoteCall::Command(Operation::Count, add)).await);
            }
            Expiry::AfterFirst(lifetime) => (lifetime, false),
            Expiry::AfterLast(lifetime) => (lifetime, true),
        };
        if self.runs_scripts_now() {
            let arguments =
                [by.to_string(), milliseconds(lifetime).to_string(), u8::from(prolongs).to_string()];
            return added(key, self.call_one(ADD.on(name, arguments.map(String::into_bytes))).await);
        }
        self.add_plainly(key, by, (lifetime, prolongs)).await
    }

    /// Without scripts. One that ends just as it is added to has no end.
    async fn add_plainly(&self, key: &str, by: i64, (lifetime, prolongs): (Duration, bool)) -> Result<()> {
        let (name, lifetime) = (self.names.number(key), milliseconds(lifetime));
        if !prolongs {
            let make = Command::new("SET").key(&name).arg(0).arg("NX").arg("PX").arg(lifetime);
            let _ = self.call_one(RemoteCall::Command(Operation::Count, make)).await;
        }
        let add = Command::new("INCRBY").key(&name).arg(by);
        added(key, self.call_one(RemoteCall::Command(Operation::Count, add)).await)?;
        if prolongs {
            let prolong = Command::new("PEXPIRE").key(&name).arg(lifetime);
            let _ = self.call_one(RemoteCall::Command(Operation::Count, prolong)).await;
        }
        Ok(())
    }

    /// In one round trip, in a cluster one to each node.
    async fn sum(&self, keys: &[String]) -> Result<i64> {
        let gets = keys.iter().map(|key| Command::get(self.names.number(key).as_str())).collect();
        let mut sum = 0_i64;
        for (key, reply) in keys.iter().zip(self.send_many(Operation::Count, gets).await) {
            let number = match reply.map_err(|failure| failure.of(COUNTER))? {
                Value::Nil => 0,
                value => number(&value).ok_or_else(no_number)?,
            };
            sum = sum.checked_add(number).ok_or_else(|| Error::counter_overflow(key))?;
        }
        Ok(sum)
    }

    async fn top(&self, key: &str, members: usize, capacity: usize) -> Result<Top> {
        let name = self.names.ranking(key);
        let Some(last) = members.checked_sub(1) else { return Ok(Top::default()) };
        let range = |name: &str, command: &str, last: usize| {
            Command::new(command).key(name).arg(0).arg(last).arg("WITHSCORES")
        };
        let last = last.min(capacity);
        let commands = vec![
            range(&name, "ZREVRANGE", last),
            range(&name, "ZRANGE", 0),
            Command::new("ZCARD").key(&name),
        ];
        let replies = self.send_many(Operation::Count, commands).await;
        let mut values = Vec::with_capacity(replies.len());
        for reply in replies {
            values.push(reply.map_err(|failure| failure.of(RANKING))?);
        }
        let [highest, lowest, Value::Int(count)] = &values[..] else { return Err(no_number()) };
        let is_full = usize::try_from(*count).is_ok_and(|count| count >= capacity);
        let lowest = ranked(lowest).ok_or_else(no_number)?.pop().filter(|_| is_full);
        Ok(Top::new(ranked(highest).ok_or_else(no_number)?, lowest.map(|(_, count)| count)))
    }

    /// Members lie in Redis as they are.
    fn check_members(&self) -> Result<()> {
        if self.sealing.is_on() {
            let text = "a ranking keeps its members in Redis as they are, and this cache seals what lies there: \
                        keep the ranking in another cache";
            return Err(Kind::configuration(text.to_owned()).into());
        }
        Ok(())
    }
}

fn added(key: &str, reply: Reply) -> Result<()> {
    match reply {
        Ok(_) => Ok(()),
        Err(CommandFailure::Refused(error)) if error.to_string().contains("overflow") => {
            Err(Error::counter_overflow(key))
        }
        Err(failure) => Err(failure.of(COUNTER)),
    }
}

/// Members and scores by turns.
fn ranked(value: &Value) -> Option<Vec<(String, u64)>> {
    let Value::Array(parts) = value else { return None };
    let pair = |pair: &[Value]| {
        let [Value::BulkString(member), Value::BulkString(score)] = pair else { return None };
        let score: f64 = std::str::from_utf8(score).ok()?.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, exact to 2⁵³")]
        let score = score as u64;
        Some((String::from_utf8_lossy(member).into_owned(), score))
    };
    parts.chunks(2).map(pair).collect()
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn no_number() -> Error {
    Kind::unavailable("Redis answered with something else than a number".to_owned()).into()
}
