//! `larder get`: the header and the value of one entry.

use std::time::Duration;

use larder::internal::inspect::{History, Inspector, Peek, StoredEntry};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    failure::{Answer, Failure},
    output::{Output, note},
    pretty::pretty,
    scan::{State, age, hashed_names, unreadable},
    units,
};

/// An entry, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    size: u64,
    ttl_ms: Option<u64>,
    state: String,
    served: bool,
    why: Option<String>,
    header: Option<HeaderShown>,
    /// Absent where the codec does not say what its bytes mean, or the payload cannot be read.
    value: Option<Box<RawValue>>,
    value_problem: Option<String>,
}

#[derive(Serialize)]
struct HeaderShown {
    codec: String,
    compression: &'static str,
    value_bytes: u64,
    stored_bytes: u64,
    epoch: String,
    shape: String,
    /// JSON of a writer that did not know the type.
    untyped: bool,
    created: String,
    age_ms: u64,
    prompt_ms: u64,
    fresh_ms: u64,
    stale_while_revalidate_ms: u64,
    stale_if_error_ms: u64,
    scopes: Vec<String>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl HeaderShown {
    fn of(history: &History, entry: &StoredEntry) -> Self {
        let lives = entry.lifetimes();
        let (value_bytes, stored_bytes) = entry.lengths();
        Self {
            codec: entry.codec(),
            compression: entry.compression(),
            value_bytes,
            stored_bytes,
            epoch: entry.epoch().to_string(),
            shape: format!("{:016x}", entry.shape()),
            untyped: entry.is_untyped(),
            created: units::time(lives.created_ms),
            age_ms: millis(age(history, entry)),
            prompt_ms: millis(lives.prompt),
            fresh_ms: millis(lives.fresh),
            stale_while_revalidate_ms: millis(lives.stale_while_revalidate),
            stale_if_error_ms: millis(lives.stale_if_error),
            scopes: entry.scopes().iter().map(|scope| format!("{:016x}", scope.get())).collect(),
        }
    }
}

pub(crate) async fn run(inspector: &Inspector, key: &str, output: &mut Output) -> Result<Answer, Failure> {
    let name = inspector.entry_name(key);
    let Some(peek) = inspector.peek(&[name.clone().into_bytes()]).await?.pop().flatten() else {
        note(output.json, &format!("there is no entry of the key {}", units::printable(key.as_bytes())));
        hashed_names(inspector).await?.into_iter().for_each(|hint| note(output.json, hint));
        return Ok(Answer::No);
    };
    let history = inspector.history(&[]).await?;
    let (value, problem) = match &peek.entry {
        Ok(entry) => value(entry, &inspector.message(&name).await?.unwrap_or_default()),
        Err(reason) => (None, Some(unreadable(reason))),
    };
    if output.json {
        let shown = shown(&history, key, &peek, value, problem);
        output.json(&shown)?;
    } else {
        people(&history, key, &peek, (value, problem), output)?;
    }
    Ok(Answer::Yes)
}

fn value(entry: &StoredEntry, message: &[u8]) -> (Option<String>, Option<String>) {
    match entry.value(message) {
        Ok(Some(text)) => (Some(text), None),
        Ok(None) => {
            let codec = entry.codec();
            (
                None,
                Some(format!("a value in {codec} cannot be shown: only its type says what its bytes mean")),
            )
        }
        Err(reason) => (None, Some(unreadable(reason))),
    }
}

fn shown<'a>(
    history: &History,
    key: &'a str,
    peek: &Peek,
    value: Option<String>,
    value_problem: Option<String>,
) -> Shown<'a> {
    let state = State::of(history, key, peek);
    Shown {
        key,
        size: peek.size,
        ttl_ms: peek.ttl.map(millis),
        state: state.name,
        served: state.is_served,
        why: state.why,
        header: peek.entry.as_ref().ok().map(|entry| HeaderShown::of(history, entry)),
        value: value.and_then(|text| RawValue::from_string(text).ok()),
        value_problem,
    }
}

fn people(
    history: &History,
    key: &str,
    peek: &Peek,
    (value, problem): (Option<String>, Option<String>),
    output: &mut Output,
) -> Result<(), Failure> {
    let state = State::of(history, key, peek);
    let ttl =
        peek.ttl.map_or_else(|| "without end".to_owned(), |ttl| format!("for {}", units::duration(ttl)));
    output.line(format!("key          {}", units::printable(key.as_bytes())))?;
    let why = state.why.map(|why| format!(" ({})", units::printable(why.as_bytes()))).unwrap_or_default();
    output.line(format!("state        {}{why}", state.name))?;
    output.line(format!("in Redis     {}, {ttl}", units::bytes(peek.size)))?;
    if let Ok(entry) = &peek.entry {
        let lives = entry.lifetimes();
        let (value_bytes, stored_bytes) = entry.lengths();
        output.line(format!(
            "value        {}, {} as stored ({}, compression: {})",
            units::bytes(value_bytes),
            units::bytes(stored_bytes),
            entry.codec(),
            entry.compression(),
        ))?;
        let age = units::duration(age(history, entry));
        output.line(format!("created      {} ({age} ago)", units::time(lives.created_ms)))?;
        output.line(format!("ttl          {}", units::duration(lives.fresh)))?;
        for (name, window) in
            [("while refreshed", lives.stale_while_revalidate), ("after an error", lives.stale_if_error)]
        {
            if !window.is_zero() {
                output.line(format!("stale        {} more {name}", units::duration(window)))?;
            }
        }
        output.line(format!("epoch        {}", entry.epoch()))?;
        let untyped = if entry.is_untyped() { " (untyped: JSON that was stored from outside)" } else { "" };
        output.line(format!("shape        {:016x}{untyped}", entry.shape()))?;
        output.line(format!("scopes       {} (see: larder explain)", entry.scopes().len()))?;
    }
    output.line("")?;
    match (value, problem) {
        // Escaped by JSON already.
        (Some(text), _) => output.line(pretty(&text)),
        (None, problem) => output.line(units::printable(problem.unwrap_or_default().as_bytes())),
    }
}
