//! Waiting for what is appended, on a connection of its own.

use std::{sync::Arc, time::Duration};

use ::redis::{Value, pipe};
use tokio::time::timeout;

use crate::{
    backoff::Backoff,
    redis::{
        config::Config,
        connection::{ToLog, connect_to_log, words},
    },
};

/// Waits for what other processes append to a stream. What it says is a hint: it reads nothing that a consumer is given.
pub(crate) struct Listener {
    config: Arc<Config>,
    stream: String,
    link: Option<ToLog>,
    backoff: Backoff,
}

impl Listener {
    pub(in crate::redis) fn new(config: Arc<Config>, stream: String) -> Self {
        Self { config, stream, link: None, backoff: Backoff::new() }
    }

    /// Whether there is a record after this ID; waits for one up to `limit`. Says so too, a little later, where the server
    /// cannot be asked. Dropping the future loses nothing.
    pub(crate) async fn hears(&mut self, after: &str, limit: Duration) -> bool {
        // Taken: a future that is dropped while it waits leaves no connection with a reply to come.
        let link = match self.link.take() {
            Some(link) => Some(link),
            None => {
                let question = words(&["EXISTS", &self.stream]);
                connect_to_log(&self.config, &self.stream, "-queue", &question).await.ok()
            }
        };
        if let Some(mut link) = link
            && let Some(heard) = self.listen(&mut link, after, limit).await
        {
            self.backoff.reset();
            self.link = Some(link);
            return heard;
        }
        self.backoff.wait().await;
        true
    }

    /// None if the connection is of no more use.
    async fn listen(&self, link: &mut ToLog, after: &str, limit: Duration) -> Option<bool> {
        // Zero would be for ever.
        let block = limit.as_millis().max(1);
        let mut commands = pipe();
        if link.asking {
            commands.cmd("ASKING");
        }
        commands.cmd("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(u64::try_from(block).unwrap_or(u64::MAX));
        commands.arg("STREAMS").arg(&self.stream).arg(after);
        let patience = limit + self.config.deadline.max(Duration::from_secs(1));
        let replies = link.dialed.connection.send_packed_commands(&commands, 0, commands.len());
        let replies: Vec<Value> = timeout(patience, replies).await.ok()?.ok()?;
        match replies.last() {
            None | Some(Value::ServerError(_)) => None,
            Some(Value::Nil) => Some(false),
            Some(_) => Some(true),
        }
    }
}
