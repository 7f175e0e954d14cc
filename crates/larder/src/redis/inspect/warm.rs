//! Storing values that were made outside of any process of the program.

use std::time::Duration;

use super::Inspector;
use crate::{
    epoch::{Epoch, shared::LogOrder},
    error::{Kind, Result},
    link::Operation,
    redis::{
        capabilities::Scripting,
        connection::Command,
        entry_stores::{NamedMessage, is_later, store_unless_later},
        script::{self, RemoteCall, milliseconds},
    },
    scope::{self, ScopeHash, ScopeSet},
    shared_entries::offload::LARGE,
    wire::{Envelope, Times, Unencodable, Wire},
};

/// A value that was made outside, as JSON: what a process of the program that knows the type reads as its own, if it is all
/// that the type would write.
#[derive(Debug, Clone)]
pub struct OutsideValue {
    /// Its key.
    pub key: String,
    /// The value.
    pub json: String,
    /// From now on.
    pub ttl: Duration,
    /// Its tags.
    pub tags: Vec<String>,
    /// The scopes of what it was made from.
    pub sources: Vec<ScopeHash>,
}

/// One of them, ready to be stored.
#[derive(Debug)]
pub struct OutsideEntry {
    name: String,
    scopes: ScopeSet,
    message: Vec<u8>,
    lifetime: u64,
}

impl OutsideEntry {
    /// The name of the entry in Redis.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hashes of the scopes that cover it.
    #[must_use]
    pub fn scopes(&self) -> &[ScopeHash] {
        &self.scopes
    }
}

impl Inspector {
    /// The entry of a value that was read from its source no earlier than at this epoch, for types of this schema version.
    /// `now_ms` is the time on the server's clock.
    ///
    /// # Errors
    ///
    /// If no process could read it: the key is empty or too long, the value is no JSON text, is too large or nests too deep,
    /// or too many scopes cover it.
    pub async fn outside_entry(
        &self,
        value: &OutsideValue,
        epoch: Epoch,
        schema: Option<u32>,
        now_ms: u64,
    ) -> Result<OutsideEntry> {
        crate::key::check(&value.key)?;
        let mut scopes = scope::covering(&value.key, &value.tags);
        scopes.extend(value.sources.iter().copied());
        let (fresh, none) = (value.ttl, Duration::ZERO);
        let times = Times { created: now_ms, prompt: fresh, fresh, revalidate: none, on_error: none };
        let envelope = Envelope { epoch, times, scopes };
        let unusable = |reason: Unencodable| Kind::Unencodable {
            key: value.key.clone(),
            cause: reason.cause().cloned(),
            reason: reason.to_string(),
        };
        let message = Wire::default().untyped_message(&value.json, &envelope, schema).map_err(unusable)?;
        let name = self.names.entry(&value.key);
        let message = self.sealing.sealed(|| name.clone(), message).await.map_err(unusable)?;
        Ok(OutsideEntry { name, scopes: envelope.scopes, message, lifetime: milliseconds(fresh) })
    }

    /// Stores entries of this epoch, unless a later one lies there: which of them are stored now. None, and nothing is
    /// stored, if the log does not reach up to this epoch any more: it was lost, or made anew.
    ///
    /// # Errors
    ///
    /// If something is refused, or there is no answer. Some may be stored then.
    pub async fn store(&self, entries: Vec<OutsideEntry>, epoch: Epoch) -> Result<Option<Vec<bool>>> {
        let Some(latest) = self.latest_comparable(epoch).await? else { return Ok(None) };
        let latest = latest.number().to_be_bytes();
        let scripting = self.config.findings.capabilities.scripting();
        let calls = entries.into_iter().map(|OutsideEntry { name, message, lifetime, .. }| {
            let lifetime = lifetime.to_string();
            if scripting != Scripting::Without && message.len() <= LARGE {
                return store_unless_later(NamedMessage { name, message, lifetime }, latest.to_vec());
            }
            let set = Command::new("SET").key(name).arg(message).arg("PX").arg(lifetime);
            RemoteCall::Command(Operation::Store, set)
        });
        let replies = script::run(&self.connections, scripting, calls.collect()).await.into_iter();
        let stored = replies.map(|reply| Ok(!is_later(&self.accepted("SET", reply)?, 0)));
        stored.collect::<Result<_>>().map(Some)
    }

    /// The latest epoch that what lies there can have, for one who knows the log to have reached an epoch; none if it has
    /// not.
    async fn latest_comparable(&self, reached: Epoch) -> Result<Option<Epoch>> {
        let now = self.server_time_ms().await?;
        let last = self.log_extent().await?.map(|extent| extent.last);
        Ok(last.filter(|last| *last >= reached).map(|last| {
            let order = LogOrder::new(1);
            order.contact().set_server_time(now);
            order.move_to(last);
            order.latest_comparable()
        }))
    }
}
