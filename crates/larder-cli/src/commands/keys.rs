//! `larder keys`: each entry, one line, however many there are.

use std::time::Duration;

use larder::internal::inspect::{History, Inspector, Peek};
use serde_json::{Value, json};

use crate::{
    cli::Keys,
    failure::{Answer, Failure},
    output::{Output, note},
    scan::{State, Walk, age, hashed_names},
    table::{Align, line},
    units,
};

const COLUMNS: [Align; 7] =
    [Align::Right, Align::Right, Align::Right, Align::Left, Align::Left, Align::Left, Align::Left];

/// Fixed: the widest cells are known only at the end, and nothing is kept until then.
const WIDTHS: [usize; 7] = [10, 8, 8, 11, 9, 14, 0];

pub(crate) async fn run(inspector: &Inspector, keys: &Keys, output: &mut Output) -> Result<Answer, Failure> {
    let begin = keys.begin.as_deref().unwrap_or("");
    let begin = begin.strip_suffix('*').unwrap_or(begin);
    if !begin.is_empty() && inspector.hashes_keys() {
        return Err(Failure::usage(
            "keys are hashed, and cannot be listed by how they begin: say larder keys for all hashes, or larder get KEY",
        ));
    }
    let history = inspector.history(&[]).await?;
    if !begin.is_empty() {
        hashed_names(inspector).await?.into_iter().for_each(|hint| note(output.json, hint));
    }
    let mut walk = Walk::entries(inspector, begin);
    let mut page = walk.next().await?;
    if !output.json {
        let head = ["SIZE", "TTL", "AGE", "CODEC", "COMPRESS", "STATE", "KEY"].map(str::to_owned);
        output.line(line(&COLUMNS, &WIDTHS, &head))?;
    }
    let mut left = keys.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(names) = page
    {
        for (name, peek) in names.iter().zip(inspector.peek(&names).await?) {
            let (Some((_, key)), Some(peek)) = (inspector.parse(name), peek) else { continue };
            if left > 0 && write(&history, key, &peek, keys.invalid, output)? {
                left -= 1;
            }
        }
        // Who waits for a key sees it as soon as it is known.
        output.flush()?;
        page = walk.next().await?;
    }
    Ok(Answer::Yes)
}

/// An entry of a list, for programs.
pub(super) fn listed(history: &History, key: &str, peek: &Peek, state: &State) -> Value {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let entry = peek.entry.as_ref().ok();
    json!({
        "key": key,
        "size": peek.size,
        "value_bytes": entry.map(|entry| entry.lengths().0),
        "ttl_ms": peek.ttl.map(millis),
        "age_ms": entry.map(|entry| millis(age(history, entry))),
        "codec": entry.map(|entry| entry.codec()),
        "compression": entry.map(|entry| entry.compression()),
        "state": state.name,
        "served": state.is_served,
        "why": state.why,
    })
}

/// Writes one line, unless it is not wanted; tells whether it did.
fn write(
    history: &History,
    key: &[u8],
    peek: &Peek,
    only_invalid: bool,
    output: &mut Output,
) -> Result<bool, Failure> {
    let text = String::from_utf8_lossy(key);
    let state = State::of(history, &text, peek);
    if only_invalid && state.is_served {
        return Ok(false);
    }
    if output.json {
        output.json(&listed(history, &text, peek, &state))?;
        return Ok(true);
    }
    let entry = peek.entry.as_ref().ok();
    let age = entry.map(|entry| age(history, entry));
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let key = units::printable(key);
    let row = [
        units::bytes(peek.size),
        or_none(peek.ttl.map(units::duration)),
        or_none(age.map(units::duration)),
        or_none(entry.map(|entry| entry.codec().to_owned())),
        or_none(entry.map(|entry| entry.compression().to_owned())),
        state.name,
        match state.why {
            Some(why) => format!("{key}  ({})", units::printable(why.as_bytes())),
            None => key,
        },
    ];
    output.line(line(&COLUMNS, &WIDTHS, &row))?;
    Ok(true)
}
