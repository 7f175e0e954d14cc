//! Whether the reader's connection still leads to the same server.

use std::time::Duration;

use ::redis::{Value, aio::MultiplexedConnection, pipe};
use tokio::time::timeout;

use super::reply;
use crate::{redis::server_info::ServerInfo, shared_log::contract::LogError};

/// The number by which the server knows this connection: no other one has it, as long as the server runs. Zero where
/// that is not allowed.
pub(super) async fn client_number(
    connection: &mut MultiplexedConnection,
    limit: Duration,
) -> Result<u64, LogError> {
    let mut commands = pipe();
    commands.cmd("CLIENT").arg("ID");
    let replies = timeout(limit, connection.send_packed_commands(&commands, 0, 1)).await;
    match replies.map_err(|_| LogError::new("no reply in time"))??.pop() {
        Some(Value::Int(number)) => Ok(number.cast_unsigned()),
        _ => Ok(0),
    }
}

/// Whether the server is what it was when it was connected to, by what it says of itself now.
pub(super) fn check_server(server_info: &ServerInfo, reply: Value) -> Result<(), LogError> {
    let info = reply::text(reply)?;
    server_info
        .is_still_true(&info)
        .then_some(())
        .ok_or_else(|| LogError::new("the server is not what it was"))
}
