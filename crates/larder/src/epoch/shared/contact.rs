//! Proof of contact with the log, and what time it is on its server.

use std::{sync::atomic::AtomicI64, time::Duration};

use crate::{
    clock::boot_time::Instant,
    mutant::{self, Rule},
    sync::{AtomicU64, Ordering},
};

/// Whether what this process knows of the log is up to date. Cheap to ask on every hit.
#[derive(Debug)]
pub(crate) struct Contact {
    /// When the last read was sent whose reply was applied and reached the tip; zero before the first one.
    proven: AtomicU64,
    /// How long ago that may be at most, in nanoseconds, for anything to be served that other processes may have
    /// changed: the strictest that a cache asked for, or no limit.
    limit: AtomicU64,
    /// What the server's clock is ahead of ours, in milliseconds.
    ahead: AtomicI64,
}

const NO_LIMIT: u64 = u64::MAX;

/// No server has told its time.
const UNKNOWN: i64 = i64::MIN;

impl Contact {
    pub(crate) fn new() -> Self {
        Self { proven: AtomicU64::new(0), limit: AtomicU64::new(NO_LIMIT), ahead: AtomicI64::new(UNKNOWN) }
    }

    /// Everything that was in the log when a read was sent is applied.
    pub(crate) fn prove(&self, sent: Instant) {
        // `Release`: who finds us in contact sees what was applied.
        self.proven.fetch_max(sent.number(), Ordering::Release);
    }

    /// For how long nothing is known to be up to date; [`Duration::MAX`] before the first contact.
    pub(crate) fn out_of_touch(&self) -> Duration {
        match self.proven.load(Ordering::Acquire) {
            0 => Duration::MAX,
            proven => Duration::from_nanos(Instant::now().number().saturating_sub(proven)),
        }
    }

    /// Has nothing served once this process has been disconnected for longer than this.
    pub(crate) fn restrict(&self, limit: Duration) {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(NO_LIMIT);
        self.limit.fetch_min(nanos, Ordering::Relaxed);
    }

    /// The strictest limit that a cache asked for.
    pub(crate) fn limit(&self) -> Option<Duration> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|&nanos| nanos != NO_LIMIT).map(Duration::from_nanos)
    }

    /// Whether anything may be served that other processes may have changed.
    #[inline]
    pub(crate) fn permits(&self) -> bool {
        self.limit().is_none_or(|limit| self.within(limit) || mutant::is(Rule::BypassIgnored))
    }

    /// Whether everything that was in the log `limit` ago is applied.
    #[inline]
    pub(crate) fn within(&self, limit: Duration) -> bool {
        self.out_of_touch() <= limit
    }

    /// The server said what time it is, in milliseconds since 1970, just now.
    pub(crate) fn set_server_time(&self, milliseconds: u64) {
        let ahead = i64::try_from(milliseconds).map_or(UNKNOWN, |time| time - Instant::now().milliseconds());
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// What time it is on the server, in milliseconds since 1970, give or take the way of a reply; none before
    /// the first connection.
    pub(crate) fn server_now_ms(&self) -> Option<u64> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        (ahead != UNKNOWN).then(|| Instant::now().milliseconds().saturating_add(ahead).max(0) as u64)
    }
}
