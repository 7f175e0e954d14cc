//! What a cache serves while it is disconnected from the invalidation log.

use std::time::Duration;

/// What a cache serves while it is disconnected from the invalidation log, so that changes that other processes make are not
/// heard of. What this process changes itself counts at once in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DisconnectPolicy {
    /// Serves what is in memory until its `ttl` and stale windows end.
    #[default]
    Serve,
    /// Serves nothing any more after this long, and computes instead: no value is served that another process
    /// invalidated longer ago, even if this process was stopped meanwhile, or the link was half open. At least
    /// 10 ms; less is taken for that. The shorter it is, the more often an idle log is asked: three times in
    /// this time.
    Bypass(Duration),
}

impl DisconnectPolicy {
    const SHORTEST: Duration = Duration::from_millis(10);

    /// For how long anything may be served while disconnected, if there is a limit.
    pub(crate) fn freshness(self) -> Option<Duration> {
        match self {
            Self::Serve => None,
            Self::Bypass(limit) => Some(limit.max(Self::SHORTEST)),
        }
    }
}
