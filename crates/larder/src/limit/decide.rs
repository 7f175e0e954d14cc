//! One decision: in memory, remembered, or by one call of a server.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use hmac_sha256::Hash;

use super::{DecidedBy, Decision};
use crate::{
    cache::{Cache, SharedStorage},
    cache_core::Core,
    error::Error,
    gcra::{Rate, RateTables, Usage},
    panic_guard,
};

/// What is done while the server that decides cannot be asked, or runs no scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FailureMode {
    /// Each process holds the rate for itself, beginning with a whole burst for each key: all together admit the rate times
    /// the number of processes.
    #[default]
    Local,
    /// Everything is admitted.
    Open,
    /// Everything is refused; [`Limited::is_unavailable`](super::Limited::is_unavailable) tells it from an exceeded rate.
    Closed,
}

/// How a limit is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) rate: Rate,
    pub(crate) failure: FailureMode,
    /// In this process, whatever the cache shares.
    pub(crate) local: bool,
}

/// Asks for units of a key of a handle, and counts what comes of it.
pub(crate) async fn decide(
    cache: &(impl Cache + ?Sized),
    tables: &RateTables,
    terms: Terms,
    (key, units): (&str, u32),
) -> Decision {
    let key = &*bounded(cache.prefix(), key);
    let request = Request { core: cache.core(), tables, terms, key, units };
    let shared = if terms.local { None } else { cache.storage().shared() };
    let decision = match shared {
        Some(shared) => request.shared(shared).await,
        None => request.here(),
    };
    request.core.count(|counters| match decision.is_allowed() {
        true => &counters.limit_allowed,
        false => &counters.limit_refused,
    });
    decision
}

struct Request<'r> {
    core: &'r Core,
    tables: &'r RateTables,
    terms: Terms,
    key: &'r str,
    units: u32,
}

impl Request<'_> {
    fn here(&self) -> Decision {
        let usage = self.tables.take(self.key, self.core.nanoseconds(), &self.terms.rate, self.units);
        Decision::new(self.terms.rate, usage, DecidedBy::Process)
    }

    async fn shared(&self, shared: &dyn SharedStorage) -> Decision {
        let rate = self.terms.rate;
        let remembered = self.tables.remembered(self.key, &rate);
        // Before the server's moment, so that it is never kept to for longer than the server would.
        let asked = self.core.nanoseconds();
        if self.units > 0
            && let Some(wait) = self.tables.refuses(remembered, asked, &rate)
        {
            self.core.count(|counters| &counters.limit_refused_here);
            return self.remembered(Duration::from_nanos(wait));
        }
        let usage = match shared.take(self.key, rate, self.units).await {
            Ok(Some(usage)) => usage,
            Ok(None) => return self.here(),
            Err(error) => return self.failed(&error),
        };
        let decision = Decision::new(rate, usage, DecidedBy::Server);
        if decision.remaining() == 0 {
            let until = asked.saturating_add(nanoseconds(decision.more_after()));
            self.tables.refuse_until(remembered, until, asked);
        }
        decision
    }

    /// Refused, and one unit would be for so much longer.
    fn remembered(&self, one_after: Duration) -> Decision {
        let rate = self.terms.rate;
        let interval = rate.interval();
        let burst = Duration::from_nanos(rate.capacity_nanos());
        let wait = match interval.saturating_mul(self.units) > burst {
            true => Duration::MAX,
            false => one_after + interval.saturating_mul(self.units.saturating_sub(1)),
        };
        // What the server reckons with may be longer by less than a microsecond.
        let used = (burst.saturating_sub(interval) + one_after).min(burst);
        Decision::new(rate, Usage::new(interval, used, wait), DecidedBy::Remembered)
    }

    fn failed(&self, error: &Error) -> Decision {
        self.core.count(|counters| &counters.limit_failures);
        let failure = self.terms.failure;
        if self.core.limits().warns(self.core.nanoseconds()) {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            panic_guard::report!(
                warn,
                cache = self.core.name(),
                %error,
                cause,
                ?failure,
                "rate limits cannot be asked of the server, and go on as their failure mode says (said once a minute; \
                 counted as `limit_failures`)"
            );
        }
        match failure {
            FailureMode::Local => self.here(),
            FailureMode::Open => Decision::failed(self.terms.rate, true),
            FailureMode::Closed => Decision::failed(self.terms.rate, false),
        }
    }
}

/// The full key: by its digest if it is long, so that what is kept of a key has a bounded size.
fn bounded<'k>(prefix: &str, key: &'k str) -> Cow<'k, str> {
    const LONGEST: usize = 512;
    let full = match prefix.is_empty() {
        true => Cow::Borrowed(key),
        false => Cow::Owned([prefix, key].concat()),
    };
    if full.len() <= LONGEST {
        return full;
    }
    let mut text = String::from("sha256:");
    for byte in Hash::hash(full.as_bytes()) {
        // To a string, which cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
