//! Stores the values of all rows, and looks at what this process says about them.

use larder::{CacheExt as _, CacheStats, TieredCache};
use larder_tests::warnings;

use crate::{
    outcome::Outcome,
    row::{At, Found, Route, Row},
};

/// What the process that stores a value knows about it.
#[derive(Debug)]
pub struct Stored {
    /// Which counter of refused values rose.
    counted: Option<&'static str>,
    /// What `insert` returned.
    error: Option<String>,
    /// What this process itself has afterwards.
    own: Found,
}

/// The key of a value. No two attempts share one.
#[must_use]
pub fn key((row, value, route): (usize, usize, Route), attempt: usize) -> String {
    format!("{row}:{value}:{}:{attempt}", route.name())
}

/// Stores a value.
///
/// # Panics
///
/// If the connection fails.
pub async fn store(
    cache: &TieredCache,
    rows: &[Row],
    place: (usize, usize, Route),
    attempt: usize,
) -> Stored {
    let (key, (row, value, route)) = (key(place, attempt), place);
    let at = At { value, key: &key, route };
    let before = cache.stats();
    let case = &rows[row].case;
    let error = case.store(cache, at).await.err().map(|error| error.to_string());
    let did = cache.stats().since(&before);
    assert_eq!(did.shared_failures, 0, "the connection failed");
    Stored { counted: counted(&did), error, own: case.read(cache, at).await }
}

/// The counter of values that are not shared because they would not come back, if it rose.
#[must_use]
pub fn counted(did: &CacheStats) -> Option<&'static str> {
    did.iter().find(|&(name, count)| count > 0 && is_refusal(name)).map(|(name, _)| name)
}

/// Whether a counter counts values that stay in this process because of what they are.
fn is_refusal(counter: &str) -> bool {
    counter.starts_with("unshared_")
}

/// What became of a value, by what its writer and a reader know.
#[must_use]
pub fn outcome(row: &Row, stored: &Stored, read: &Found) -> Outcome {
    match read {
        Found::Same => match &stored.counted {
            Some(counter) => Outcome::Misread(format!("an equal value, although {counter} rose")),
            None => Outcome::Same,
        },
        Found::Other(value) => Outcome::Misread(value.clone()),
        Found::Nothing => refused(row, stored).map_or(Outcome::Refused, Outcome::NeverHit),
    }
}

/// What is wrong with a refusal, if anything is.
fn refused(row: &Row, stored: &Stored) -> Option<String> {
    if stored.counted.is_none() {
        return Some(format!("not counted; insert: {:?}", stored.error));
    }
    if warnings::naming(row.type_name) == 0 {
        return Some("no WARN names the type".to_owned());
    }
    match &stored.own {
        Found::Same => None,
        other => Some(format!("the process that stored it has {other:?}")),
    }
}
