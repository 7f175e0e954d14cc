//! The log, as one who only looks sees it: its ends, its history, and what comes.

use std::time::Duration;

use super::{inspector::Inspector, reply::number};
use crate::{
    error::Result,
    redis::{
        connection::Command,
        log::{Follower, History, LogExtent},
    },
    scope::ScopeHash,
};

impl Inspector {
    /// Gives the log a lifetime: for one that is of no use after a measurement.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn expire_log(&self, after: Duration) -> Result<()> {
        let milliseconds = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let command = Command::new("PEXPIRE").key(self.log_name()).arg(milliseconds);
        self.accepted("PEXPIRE", self.connections.call(&command).await).map(drop)
    }

    /// The two ends of the log; none if there is none.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn log_extent(&self) -> Result<Option<LogExtent>> {
        LogExtent::read(&self.connections, self.findings(), &self.log_name()).await
    }

    /// Reads all of the log, so that entries can be judged as a process would that connects now. Of the scopes in
    /// `watched`, and of everything, it is noted when they were invalidated.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn history(&self, watched: &[ScopeHash]) -> Result<History> {
        let now = self.server_time_ms().await?;
        History::read(&self.connections, self.findings(), &self.log_name(), now, watched).await
    }

    /// The log from its end on.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn follow(&self) -> Result<Follower> {
        Follower::begin(&self.connections, &self.config.findings, self.log_name()).await
    }

    /// Trims the log to about so many records, and tells how many it lost. Processes that have not read what was
    /// trimmed drop everything once.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn trim_log(&self, records: u64) -> Result<u64> {
        let command = Command::new("XTRIM").key(self.log_name()).arg("MAXLEN").arg(records);
        Ok(number(&self.accepted("XTRIM", self.connections.call(&command).await)?))
    }
}
