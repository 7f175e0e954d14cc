//! Whether the reader's connection still leads to the same server.

use std::time::Duration;

use ::redis::{Value, pipe};

use super::{
    connect::{LogConnection, LogError},
    reply,
};

/// The number by which the server knows this connection: no other one has it, as long as the server runs. Zero where
/// that is not allowed.
pub(super) async fn client_number(link: &mut LogConnection, limit: Duration) -> Result<u64, LogError> {
    let mut commands = pipe();
    commands.cmd("CLIENT").arg("ID");
    match link.ask(&commands, limit).await?.pop() {
        Some(Value::Int(number)) => Ok(number.cast_unsigned()),
        _ => Ok(0),
    }
}

/// Whether the server is what it was when it was connected to, by what it says of itself now.
pub(super) fn check_server(link: &LogConnection, reply: Value) -> Result<(), LogError> {
    let info = reply::text(reply)?;
    link.server_info()
        .is_still_true(&info)
        .then_some(())
        .ok_or_else(|| LogError::new("the server is not what it was"))
}
