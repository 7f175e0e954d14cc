//! Whether the runtime can do what connections need.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{net::UdpSocket, runtime::Handle, time::sleep};

use crate::{
    error::{Error, Kind, Result},
    panic_guard::contain,
};

/// An error if the tokio runtime that this is called in has no timers, or no I/O: a connection would panic in it. Outside of
/// a runtime there is nothing to say.
///
/// # Errors
///
/// If one is missing. tokio tells that by a panic alone, which its hook has reported before.
pub fn check_runtime() -> Result<()> {
    if Handle::try_current().is_err() {
        return Ok(());
    }
    if contain(|| drop(sleep(Duration::ZERO))).is_none() {
        return Err(lacks("timers", "enable_time"));
    }
    // Without a socket there is nothing to try it with, and what stands in the way is seen when it connects.
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let Some(socket) = socket.ok().filter(|socket| socket.set_nonblocking(true).is_ok()) else {
        return Ok(());
    };
    match contain(|| drop(UdpSocket::from_std(socket))) {
        Some(()) => Ok(()),
        None => Err(lacks("I/O", "enable_io")),
    }
}

fn lacks(driver: &str, method: &str) -> Error {
    let text = format!(
        "the tokio runtime has no {driver}, which connections need: build it with `{method}`, or with `enable_all`"
    );
    Kind::configuration(text).into()
}
