//! When to stop.

use std::{io, time::Duration};

/// So long may requests go on that are under way then.
pub const GRACE: Duration = Duration::from_secs(10);

/// Ends when the process is asked to stop, from now on: by Ctrl-C, or a service manager.
#[cfg(unix)]
pub fn requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when the process is asked to stop, by Ctrl-C.
#[cfg(not(unix))]
pub fn requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen for Ctrl-C");
        }
    })
}
