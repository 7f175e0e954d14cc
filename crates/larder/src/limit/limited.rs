//! The error of a request that is refused.

use std::{error::Error, fmt, time::Duration};

use super::{DecidedBy, Decision};
use crate::gcra::Rate;

/// A request was refused by a rate limit.
///
/// Where a function is [`#[limited]`](crate::limited), its error is `From<Limited>`: an enum with a variant for it, or
/// `anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send + Sync>`, in which it is found by its type. Its text names the
/// rate and the time to wait, and not the key, which may be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    decision: Decision,
}

impl Limited {
    /// When the same request would be admitted, if no other one comes before it; see
    /// [`Decision::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.decision.retry_after().unwrap_or_default()
    }

    /// The rate that was exceeded.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.decision.rate()
    }

    /// Whether nothing was exceeded that is known of: the server could not be asked, and the limiter
    /// [fails closed](super::FailureMode::Closed).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.decision.decided_by() == DecidedBy::Failure
    }

    /// What was decided.
    pub const fn decision(&self) -> Decision {
        self.decision
    }
}

impl Decision {
    /// The decision, if the request is admitted.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub fn admitted(self) -> Result<Self, Limited> {
        if self.is_allowed() { Ok(self) } else { Err(Limited { decision: self }) }
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate();
        match self.retry_after() {
            _ if self.is_unavailable() => {
                write!(
                    f,
                    "the server that counts for the rate of {rate} cannot be reached, and `FailureMode::Closed` refuses: try again"
                )
            }
            Duration::MAX => write!(f, "the request is larger than the rate of {rate} ever admits at once"),
            wait => {
                let wait = Duration::from_millis(
                    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
                );
                write!(f, "the rate of {rate} is exceeded: try again in {wait:?}")
            }
        }
    }
}

impl Error for Limited {}
