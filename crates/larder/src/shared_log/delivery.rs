//! How an invalidation goes on that was applied here.

use std::{sync::Arc, time::Duration};

use crate::{
    cache::{Invalidating, Invalidation},
    epoch::Announcement,
};

/// The invalidation is safe before its echo; a value that is stored before it is wasted.
pub(crate) const ECHO: Duration = Duration::from_millis(20);

/// Waits for the epoch of what was announced for `deadline` at most, and not at all if the log is not within reach.
pub(crate) fn deliver(
    announcement: Arc<Announcement>,
    deadline: Duration,
    is_within_reach: impl Fn() -> bool + Send + 'static,
) -> Invalidating {
    deliver_and_settle(announcement, deadline, move || Some(ECHO).filter(|_| is_within_reach()))
}

/// The same, where it is known for how long it is worth waiting for the echo; none if it is not within reach.
pub(crate) fn deliver_and_settle(
    announcement: Arc<Announcement>,
    deadline: Duration,
    reach: impl Fn() -> Option<Duration> + Send + 'static,
) -> Invalidating {
    Invalidating::under_way(async move {
        let Some(echo) = reach() else {
            return Invalidation::Queued;
        };
        let Ok(epoch) = tokio::time::timeout(deadline, announcement.named()).await else {
            return Invalidation::Queued;
        };
        let _ = tokio::time::timeout(echo, announcement.echoed()).await;
        Invalidation::Delivered(epoch)
    })
}
