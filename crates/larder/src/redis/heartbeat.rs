//! Where processes publish their heartbeats: one of 256 keys each, so that they are found without looking through all keys,
//! and end one by one.

use std::time::Duration;

use ::redis::Value;

use super::{
    connection::{Command, Reply},
    heartbeat_slot::SLOTS,
    remote::Remote,
    script::milliseconds,
};
use crate::{error::Result, link::Operation};

impl Remote {
    /// Publishes a text that begins with `owner`, as all of this process do.
    pub(super) async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<()> {
        let place = match self.heartbeat.get() {
            known @ 0..SLOTS => known,
            _ => self.free_place(owner).await?,
        };
        let name = self.names.heartbeat(place);
        let command = Command::new("SET").key(&name).arg(text).arg("PX").arg(milliseconds(ttl)).arg("GET");
        let before = self.send(Operation::Store, &command).await;
        let before = before.map_err(|failure| failure.of(format_args!("the heartbeat in {name}")))?;
        // Two that found the same one free both move on: what is left behind ends soon.
        let kept = if is_of(&before, owner) || before == Value::Nil { place } else { SLOTS };
        self.heartbeat.set(kept);
        Ok(())
    }

    /// A key that no other process has, if there is one; any of them otherwise.
    async fn free_place(&self, owner: &str) -> Result<usize> {
        let looks = (0..SLOTS).map(|place| Command::get(&self.names.heartbeat(place))).collect();
        let replies = self.send_many(Operation::Read, looks).await;
        let is_free =
            |reply: &Reply| reply.as_ref().is_ok_and(|value| *value == Value::Nil || is_of(value, owner));
        let free: Vec<_> = (0..SLOTS).filter(|place| replies.get(*place).is_some_and(is_free)).collect();
        match replies.into_iter().find_map(Result::err) {
            Some(failure) if free.is_empty() => Err(failure.of("the look for other heartbeats")),
            _ => Ok(fastrand::choice(free).unwrap_or_else(|| fastrand::usize(..SLOTS))),
        }
    }
}

fn is_of(value: &Value, owner: &str) -> bool {
    matches!(value, Value::BulkString(text) if text.starts_with(owner.as_bytes()))
}
