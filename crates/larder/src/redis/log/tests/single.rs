//! A connector of one server, with what a test needs of it.

use super::super::{
    LogError, Purpose,
    connect::{Connect, Connected},
    reply,
};
use std::time::Duration;

use ::redis::Value;
use async_trait::async_trait;

use crate::redis::server_info::{Role, ServerInfo};
use crate::sync::plain::{Mutex, lock};

/// One server at a time, by its URL.
pub(crate) struct SingleServer(Mutex<::redis::Client>);

impl SingleServer {
    /// # Errors
    ///
    /// If the URL is none.
    pub(crate) fn new(url: &str) -> Result<Self, LogError> {
        Ok(Self(Mutex::new(::redis::Client::open(url)?)))
    }

    /// From now on, another server.
    pub(crate) fn switch_to(&self, url: &str) {
        *lock(&self.0) = ::redis::Client::open(url).expect("a URL");
    }
}

#[async_trait]
impl Connect for SingleServer {
    async fn connect(&self, purpose: Purpose) -> Result<Connected, LogError> {
        const CONNECT: Duration = Duration::from_secs(2);
        let config = ::redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None);
        let client = lock(&self.0).clone();
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut commands = ::redis::pipe();
        commands.cmd("CLIENT").arg("SETNAME").arg(purpose.suffix());
        commands.cmd("INFO").cmd("TIME");
        let replies = connection.send_packed_commands(&commands, 0, commands.len()).await?;
        let [_, info, time] =
            <[Value; 3]>::try_from(replies).map_err(|_| LogError::new("replies are missing"))?;
        let server_info = ServerInfo::read(&reply::text(info)?, &time, false, Role::Master);
        let server_info = server_info.map_err(|incompatible| LogError::new(format!("{incompatible:?}")))?;
        Ok(Connected { connection, server_info, asking: false, answer: None, alive: Box::new(()) })
    }
}
