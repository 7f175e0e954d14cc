//! `GET /keys`: what is in this process' memory, a page at a time.

use std::sync::Arc;

use http::StatusCode;
use larder::{
    Cache,
    internal::{MemoryEntry, MemoryState, page_in_memory},
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{
    answer::{Answer, Problem},
    percent::unknown_parameter,
    units::millis,
};

/// The most keys of one answer.
const MOST: usize = 1_000;

/// The longest keys are as large as a thousand usual ones: an answer ends when it has so many bytes of them.
const MOST_BYTES: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    prefix: String,
    after: Option<String>,
    limit: usize,
}

impl Asked {
    pub(super) fn of(parameters: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut asked = Self { prefix: String::new(), after: None, limit: 100 };
        for (name, value) in parameters {
            match name.as_str() {
                "prefix" => asked.prefix = prefix(value)?,
                "after" => asked.after = Some(value),
                "limit" => asked.limit = limit(&value)?,
                _ => return Err(unknown_parameter(&name, "prefix, after and limit")),
            }
        }
        Ok(asked)
    }
}

fn prefix(text: String) -> Result<String, Problem> {
    let begin = text.strip_suffix('*').unwrap_or(&text);
    if begin.contains('*') {
        return Err(Problem::bad(format!("prefix={text:?}: a `*` stands only at the end")));
    }
    Ok(begin.to_owned())
}

fn limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| {
        Problem::bad(format!("limit={text:?}: from 1 to {MOST}, and `after` for those that follow"))
    })
}

pub(super) async fn keys(cache: &Arc<dyn Cache>, asked: Asked) -> Result<Answer, Problem> {
    let cache = cache.clone();
    // One more than is shown tells whether there are more.
    let look = move || page_in_memory(&*cache, &asked.prefix, asked.after.as_deref(), asked.limit + 1);
    let limit = asked.limit;
    let page = match Handle::try_current() {
        // It looks at every entry: a million of them take longer than other requests should wait.
        Ok(runtime) => runtime.spawn_blocking(look).await.map_err(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the entries could not be listed: see the log")
        })?,
        Err(_) => look(),
    };
    Ok(Answer::ok(written(&page, limit)))
}

fn written(page: &[MemoryEntry], limit: usize) -> Value {
    let mut bytes = 0_usize;
    let fits = |entry: &&MemoryEntry| {
        let is_first = bytes == 0;
        bytes += entry.key.len().max(1);
        is_first || bytes <= MOST_BYTES
    };
    let shown: Vec<_> = page.iter().take(limit).take_while(fits).collect();
    let next = shown.last().filter(|_| shown.len() < page.len()).map(|last| &last.key);
    json!({ "keys": shown.iter().map(|entry| key(entry)).collect::<Vec<_>>(), "next": next })
}

fn key(entry: &MemoryEntry) -> Value {
    json!({
        "key": entry.key,
        "ttl_ms": millis(entry.remaining_ttl),
        "age_ms": millis(entry.age),
        "state": state(entry.state),
        "served": is_served(entry.state),
        "shared": !entry.is_unshared,
    })
}

pub(super) fn is_served(state: MemoryState) -> bool {
    matches!(state, MemoryState::Valid | MemoryState::Stale)
}

/// In the words of `larder keys`.
pub(super) fn state(state: MemoryState) -> &'static str {
    match state {
        MemoryState::Valid => "valid",
        MemoryState::Stale => "stale",
        MemoryState::Expired => "expired",
        MemoryState::Invalidated => "invalidated",
        MemoryState::OutOfTouch => "out of touch",
        _ => "not judged",
    }
}
