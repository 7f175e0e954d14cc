//! `RateLimit-Policy`, `RateLimit` and `Retry-After`: draft-ietf-httpapi-ratelimit-headers-11, RFC 9110.

use std::time::Duration;

use larder::limit::{DecidedBy, Decision};

pub(super) const POLICY: &str = "ratelimit-policy";
pub(super) const LIMIT: &str = "ratelimit";

/// The two fields about a decision; none if nothing is known of its key.
pub(super) fn of(name: &str, decision: &Decision) -> Option<[(&'static str, String); 2]> {
    if decision.decided_by() == DecidedBy::Failure {
        return None;
    }
    let (name, rate) = (string(name), decision.rate());
    let window = match rate.period() {
        period if period.subsec_nanos() == 0 => format!(";w={}", period.as_secs()),
        _ => String::new(),
    };
    let policy = format!("{name};q={}{window}", rate.units());
    let limit = format!("{name};r={};t={}", decision.remaining(), seconds(decision.more_after()));
    Some([(POLICY, policy), (LIMIT, limit)])
}

/// A string of a structured field (RFC 9651, section 4.1.6), of printable ASCII. JSON writes it in the same way.
pub(super) fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whole seconds, rounded up: the time has come when they are over. At most what such a field can hold.
pub(super) fn seconds(duration: Duration) -> u64 {
    const MOST: u64 = 999_999_999_999_999;
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).min(MOST)
}
