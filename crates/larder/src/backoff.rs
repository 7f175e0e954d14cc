//! How long to wait before what has failed is tried again.

use std::time::Duration;

/// `first`, doubled so many times, `longest` at most; between half of that and all of it, as `chance` (0 to 1) says:
/// processes that lost the same server do not come back in step.
pub(crate) fn jittered(first: Duration, doublings: u32, longest: Duration, chance: f64) -> Duration {
    let full = first.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(longest);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// Waits longer from failure to failure, and not all processes as long.
#[cfg(feature = "shared")]
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

#[cfg(feature = "shared")]
impl Backoff {
    /// Of what is to be delivered within two seconds of a server's return: a connection takes some time too.
    pub(crate) fn new() -> Self {
        Self::between(Duration::from_millis(20), Duration::from_millis(500))
    }

    /// The first pause is of half of `first` at least, and none is of more than `longest`.
    #[must_use]
    pub fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// It works.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// It does not: waits.
    pub async fn wait(&mut self) {
        let pause = jittered(self.first, self.failures, self.longest, fastrand::f64());
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_jittered_by_half() {
        let (first, longest) = (Duration::from_millis(20), Duration::from_secs(1));
        let pause = |doublings, chance| jittered(first, doublings, longest, chance);
        assert_eq!(pause(2, 1.0), first * 4);
        assert_eq!(pause(2, 0.0), first * 2);
        assert_eq!(pause(40, 1.0), longest);
    }
}
