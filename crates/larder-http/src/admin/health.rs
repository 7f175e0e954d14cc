//! `GET /health`: whether this process hears of what others invalidate, and they of what it does.

use std::time::Duration;

use http::StatusCode;
use larder::{Cache, CacheExt as _, Link, Operation};
use serde_json::json;

use super::{answer::Answer, stats::redis};

pub(super) fn health(cache: &dyn Cache, limit: Duration) -> Answer {
    let link = cache.link();
    let why = link.as_ref().and_then(|link| trouble(link, limit));
    let (status, word) = match why {
        None => (StatusCode::OK, "ok"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    let redis = link.as_ref().map(redis);
    Answer::with(status, json!({ "status": word, "why": why, "enabled": cache.is_enabled(), "redis": redis }))
}

/// Why processes do not hear of each other, if they do not.
///
/// That connecting or following the log is refused counts only once nothing was heard for too long: a server that ends in the
/// middle of a handshake seems to refuse it too.
fn trouble(link: &Link, limit: Duration) -> Option<String> {
    let refused = |operations: &[Operation]| {
        let refusal = link.refusals.iter().find(|refusal| operations.contains(&refusal.operation))?;
        Some(format!("Redis refuses {}: {} ({})", refusal.operation, refusal.reply, refusal.mend))
    };
    if link.out_of_touch <= limit {
        return refused(&[Operation::Append]);
    }
    let silence = match link.out_of_touch {
        Duration::MAX => "there was no contact with Redis so far".to_owned(),
        silent => format!(
            "no contact with Redis for {:.1} s: what other processes invalidated since is not known here",
            silent.as_secs_f64()
        ),
    };
    let cause = refused(&[Operation::Connect, Operation::Follow]);
    Some(cause.map_or(silence.clone(), |cause| format!("{silence}. {cause}")))
}
