//! Where processes publish their heartbeats: in one hash, with a field for each, so that a look at all of them is one command.
//! A field has its own end in it: Redis knows ends of single fields only from 7.4 on, and Valkey from 9.0 on.

use std::time::{Duration, UNIX_EPOCH};

use ::redis::Value;

use super::{
    connection::{Command, Reply},
    heartbeat_fields::{self, MOST},
    remote::Remote,
    script::milliseconds,
    server_info,
};
use crate::{
    error::{Kind, Result},
    link::Operation,
};

/// For how long the hash is kept after the last heartbeat, unless that is kept longer.
const KEPT: Duration = Duration::from_secs(600);

impl Remote {
    /// Publishes a text in place of the one before it of the same owner.
    pub(super) async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<()> {
        let name = self.names.heartbeats();
        let until = self.server_now_ms().await?.saturating_add(milliseconds(ttl));
        let commands = vec![
            Command::new("HSET").key(&name).arg(owner).arg(heartbeat_fields::field(until, text)),
            Command::new("PEXPIRE").key(&name).arg(milliseconds(ttl.max(KEPT))),
            Command::new("HLEN").key(&name),
        ];
        let [added, _, mut fields] = numbers(self.send_many(Operation::Store, commands).await)?;
        if self.last_tidying.is_due(fields, added > 0) {
            fields = self.tidy_heartbeats(&name).await?;
        }
        if added > 0 && fields > MOST {
            let withdraw = Command::new("HDEL").key(&name).arg(owner);
            numbers::<1>(vec![self.send(Operation::Store, &withdraw).await])?;
            let reason =
                format!("{MOST} other processes publish heartbeats in {name}: there is no room for more");
            return Err(Kind::configuration(reason).into());
        }
        Ok(())
    }

    /// Deletes the fields that have ended, and tells how many are left.
    async fn tidy_heartbeats(&self, name: &str) -> Result<usize> {
        let all = self.send(Operation::Read, &Command::new("HGETALL").key(name)).await;
        let all = all.map_err(|failure| failure.of("a look at other heartbeats"))?;
        let (pairs, now) = (heartbeat_fields::pairs(&all), self.server_now_ms().await?);
        let ended: Vec<&[u8]> = pairs
            .iter()
            .filter(|(_, field)| heartbeat_fields::live(field, now).is_none())
            .map(|(owner, _)| *owner)
            .collect();
        let left = pairs.len() - ended.len();
        if !ended.is_empty() {
            let delete = Command::new("HDEL").key(name).arg(&ended[..]);
            numbers::<1>(vec![self.send(Operation::Store, &delete).await])?;
        }
        self.last_tidying.done(left);
        Ok(left)
    }

    /// The time of the server that has the log, as for entries: the nodes of a cluster may differ.
    async fn server_now_ms(&self) -> Result<u64> {
        if let Some(time) = self.followed.server_time() {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            return Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        }
        let time = self.send(Operation::Read, &Command::new("TIME").beside(self.names.log())).await;
        let time = time.map_err(|failure| failure.of("the server's time"))?;
        server_info::time_ms(&time).ok_or_else(|| Kind::unavailable("it does not tell the time").into())
    }
}

/// The replies to commands about heartbeats, each of which is a number.
fn numbers<const N: usize>(replies: Vec<Reply>) -> Result<[usize; N]> {
    let mut numbers = [0; N];
    for (number, reply) in numbers.iter_mut().zip(replies) {
        if let Value::Int(value) = reply.map_err(|failure| failure.of("the heartbeat"))? {
            *number = usize::try_from(value).unwrap_or(0);
        }
    }
    Ok(numbers)
}
