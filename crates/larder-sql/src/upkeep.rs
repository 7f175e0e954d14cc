//! What is done in the background: tidying, and looking whether the database is back.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::cache::Remote;

/// How often what has expired, and what is too much of the log, is deleted; up to half of that more, by chance.
const TIDY: Duration = Duration::from_secs(20);

/// The first pause between two looks whether the database is back, and the longest.
const PROBE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Begins to tidy up, for as long as the cache lives.
pub(crate) fn start(remote: &Arc<Remote>) {
    let remote = Arc::downgrade(remote);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY.mul_f64(1.0 + fastrand::f64() / 2.0)).await;
            let Some(remote) = remote.upgrade() else { return };
            if !remote.is_within_reach() {
                continue;
            }
            match tokio::time::timeout(TIDY, remote.tidy()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the tables of the cache are not tidied"),
                Err(_) => tracing::debug!("the tables of the cache are not tidied in time"),
            }
        }
    });
}

/// Looks whether the database is back, until it is.
pub(crate) fn probe(remote: &Arc<Remote>) {
    let remote: Weak<Remote> = Arc::downgrade(remote);
    tokio::spawn(async move {
        let (mut pause, longest) = PROBE;
        loop {
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            let Some(remote) = remote.upgrade() else { return };
            if remote.probe().await {
                return;
            }
            pause = (pause * 2).min(longest);
        }
    });
}
