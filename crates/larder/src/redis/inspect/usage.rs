//! What processes tell of themselves, and what servers know of how keys are used.

use ::redis::Value;

use super::{inspector::Inspector, reply::is_of_another_type};
use crate::{
    error::Result,
    heartbeat::beat::Beat,
    redis::{
        connection::{Command, CommandFailure},
        heartbeat_fields,
    },
};

impl Inspector {
    /// What processes publish of themselves. What is not understood is left out.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn heartbeats(&self) -> Result<Vec<Beat>> {
        let all = Command::new("HGETALL").key(self.names.heartbeats());
        let all = self.connections.call(&all).await;
        if is_of_another_type(&all) {
            return Ok(Vec::new());
        }
        let (all, now) = (self.accepted("HGETALL", all)?, self.server_time_ms().await?);
        let live = heartbeat_fields::pairs(&all).into_iter();
        let live = live.filter_map(|(_, field)| heartbeat_fields::live(field, now));
        Ok(live.filter_map(|text| serde_json::from_slice(text).ok()).collect())
    }

    /// How often these are used, as servers count that evict what is used least: a logarithm, up to 255. None where there is
    /// nothing any more, or no such policy.
    ///
    /// # Errors
    ///
    /// If there is no answer, or the right is missing.
    pub async fn frequencies(&self, names: &[Vec<u8>]) -> Result<Vec<Option<u64>>> {
        let commands = names.iter().map(|name| Command::new("OBJECT").arg("FREQ").key(name)).collect();
        let mut frequencies = Vec::with_capacity(names.len());
        for reply in self.connections.call_many(commands).await {
            frequencies.push(match reply {
                Err(CommandFailure::Refused(error)) if error.code() == "ERR" => None,
                reply => match self.accepted("OBJECT FREQ", reply)? {
                    Value::Int(frequency) => u64::try_from(frequency).ok(),
                    _ => None,
                },
            });
        }
        Ok(frequencies)
    }
}
