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
pub(crate) const ECHO: Duration = Duration::from_millis(20);

/// Waits for the epoch of what was announced for `deadline` at most, and until it is refused, and not at all without a runtime, or if the store is
/// not within reach. What covers nothing is done.
pub(crate) fn deliver(
    (announcement, scopes): (Option<Arc<Announcement>>, &[Scope]),
    deadline: Duration,
    is_within_reach: impl Fn() -> bool + Send + 'static,
) -> Invalidating {
    deliver_and_settle((announcement, scopes), deadline, move || Some(ECHO).filter(|_| is_within_reach()))
}

/// The same, where it is known for how long it is worth waiting for the echo; none if it is not within reach.
pub(crate) fn deliver_and_settle(
    (announcement, scopes): (Option<Arc<Announcement>>, &[Scope]),
    deadline: Duration,
    reach: impl Fn() -> Option<Duration> + Send + 'static,
) -> Invalidating {
    let Some(announcement) = announcement.filter(|_| !scopes.is_empty()) else {
        return Invalidating::done(Invalidation::Delivered(Epoch::ZERO));
    };
    Invalidating::under_way(async move {
        let Some(echo) = reach().filter(|_| Handle::try_current().is_ok()) else {
            return Invalidation::Queued;
        };
        let Ok(Some(epoch)) = timeout(deadline, announcement.named_or_refused()).await else {
            return Invalidation::Queued;
        };
        let _ = timeout(echo, announcement.echoed()).await;
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
