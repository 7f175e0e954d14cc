//! How changes go on that were applied here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{
    cache::{Invalidating, Invalidation},
    clock::instant_after,
    epoch::{Announcement, Epoch},
    scope::Scope,
};

/// The invalidation is safe before its echo; a value that is stored before it is wasted.
const ECHO: Duration = Duration::from_millis(20);

/// Waits for the epoch of what was announced for `deadline` at most, and not at all without a runtime, or if the store is
/// not within reach. What covers nothing is done.
pub(crate) fn deliver(
    (announcement, scopes): (Option<Arc<Announcement>>, &[Scope]),
    deadline: Duration,
    is_within_reach: impl Fn() -> bool + Send + 'static,
) -> Invalidating {
    let Some(announcement) = announcement.filter(|_| !scopes.is_empty()) else {
        return Invalidating::done(Invalidation::Delivered(Epoch::ZERO));
    };
    Invalidating::under_way(async move {
        if Handle::try_current().is_err() || !is_within_reach() {
            return Invalidation::Queued;
        }
        let Ok(epoch) = timeout(deadline, announcement.named()).await else {
            return Invalidation::Queued;
        };
        let _ = timeout(ECHO, announcement.echoed()).await;
        Invalidation::Delivered(epoch)
    })
}

/// Whether nothing waits to be delivered any longer, within `limit`.
pub(crate) async fn until_delivered(waiting: impl Fn() -> u64, limit: Duration) -> bool {
    const PAUSE: Duration = Duration::from_millis(2);
    let end = instant_after(limit);
    while waiting() > 0 {
        if Instant::now() >= end || Handle::try_current().is_err() {
            return false;
        }
        sleep(PAUSE).await;
    }
    true
}
