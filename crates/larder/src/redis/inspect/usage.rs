//! What processes tell of themselves, and what servers know of how keys are used.

use ::redis::Value;

use super::inspector::{Inspector, bytes, is_of_another_type};
use crate::{
    error::Result,
    heartbeat::beat::Beat,
    redis::{
        connection::{Command, CommandFailure},
        heartbeat_slot::SLOTS,
    },
};

impl Inspector {
    /// What processes publish of themselves. What is not understood is left out.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn heartbeats(&self) -> Result<Vec<Beat>> {
        let looks = (0..SLOTS).map(|place| Command::get(&self.names.heartbeat(place)));
        let mut beats: Vec<Beat> = Vec::new();
        for reply in self.connections.call_many(looks.collect()).await {
            if is_of_another_type(&reply) {
                continue;
            }
            let value = self.accepted("GET", reply)?;
            let Some(beat) = bytes(&value).and_then(|text| serde_json::from_slice::<Beat>(text).ok()) else {
                continue;
            };
            match beats.iter_mut().find(|known| known.process == beat.process) {
                // A process that has moved on leaves its last one behind for a while.
                Some(known) if known.at_ms < beat.at_ms => *known = beat,
                Some(_) => {}
                None => beats.push(beat),
            }
        }
        Ok(beats)
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
