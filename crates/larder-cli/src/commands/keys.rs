//! `larder keys`: each entry, one line, however many there are.

use std::time::Duration;

use larder::internal::inspect::{History, Inspector, Peek};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::{
    cli::Keys,
    failure::{Answer, Failure},
    output::{Output, note},
    scan::{State, Walk, age, hashed_names},
    table::{Align, line},
    terminal, units,
};

const HEAD: [&str; 7] = ["SIZE", "TTL", "AGE", "CODEC", "COMPRESS", "STATE", "KEY"];

const ALIGNS: [Align; 7] =
    [Align::Right, Align::Right, Align::Right, Align::Left, Align::Left, Align::Left, Align::Left];

/// Fixed: the widest cells are known only at the end, and nothing is kept until then.
const WIDTHS: [usize; 7] = [10, 8, 8, 11, 9, 14, 0];

/// What is left out where a terminal is narrow, the first one first: `--json` has all.
const EXPENDABLE: [usize; 5] = [4, 3, 2, 1, 0];

/// So many columns are for a key, or half of a terminal that is narrower.
const KEY: usize = 32;

/// The lines of a list, which is written while it is made.
struct Lines {
    columns: Vec<usize>,
    room: usize,
}

impl Lines {
    fn new(room: usize) -> Self {
        let mut columns: Vec<_> = (0..HEAD.len()).collect();
        for expendable in EXPENDABLE {
            let width: usize = columns.iter().map(|column| WIDTHS[*column] + 2).sum();
            if width - 2 + KEY.min(room / 2) > room {
                columns.retain(|column| *column != expendable);
            }
        }
        Self { columns, room }
    }

    /// One of them. A key is never cut, and `why` stands below it where it would not fit behind it.
    fn line(&self, row: [String; 7], why: Option<&str>) -> String {
        let aligns: Vec<_> = self.columns.iter().map(|column| ALIGNS[*column]).collect();
        let widths: Vec<_> = self.columns.iter().map(|column| WIDTHS[*column]).collect();
        let row: Vec<_> = self.columns.iter().map(|column| row[*column].clone()).collect();
        let text = line(&aligns, &widths, &row);
        let Some(why) = why else { return text };
        match format!("{text}  ({why})") {
            all if all.width() <= self.room => all,
            _ => format!("{text}\n    ({why})"),
        }
    }
}

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
    let lines = Lines::new(terminal::columns());
    if !output.json {
        output.line(lines.line(HEAD.map(str::to_owned), None))?;
    }
    let mut left = keys.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(names) = page
    {
        for (name, peek) in names.iter().zip(inspector.peek(&names).await?) {
            let (Some((_, key)), Some(peek)) = (inspector.parse(name), peek) else { continue };
            if left > 0 && write(&history, key, &peek, keys.invalid, (&lines, output))? {
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
    (lines, output): (&Lines, &mut Output),
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
    let row = [
        units::bytes(peek.size),
        or_none(peek.ttl.map(units::duration)),
        or_none(age.map(units::duration)),
        or_none(entry.map(|entry| entry.codec().to_owned())),
        or_none(entry.map(|entry| entry.compression().to_owned())),
        state.name,
        units::printable(key),
    ];
    let why = state.why.map(|why| units::printable(why.as_bytes()));
    output.line(lines.line(row, why.as_deref()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_least_is_left_out_where_it_is_narrow() {
        let head = |room| Lines::new(room).line(HEAD.map(str::to_owned), None);
        let names = |room| head(room).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(names(usize::MAX), "SIZE TTL AGE CODEC COMPRESS STATE KEY");
        assert_eq!(names(106), "SIZE TTL AGE CODEC COMPRESS STATE KEY");
        assert_eq!(names(80), "SIZE TTL AGE STATE KEY");
        assert_eq!(names(40), "STATE KEY");
        assert_eq!(names(1), "STATE KEY");
    }

    #[test]
    fn why_it_is_not_served_has_a_line_of_its_own_where_it_is_narrow() {
        let row = || ["9 B", "1s", "1s", "JSON", "none", "expired", "user:7"].map(str::to_owned);
        let line = |room| Lines::new(room).line(row(), Some("its TTL has ended"));
        assert!(line(usize::MAX).ends_with("expired         user:7  (its TTL has ended)"));
        assert!(line(40).ends_with("expired         user:7\n    (its TTL has ended)"), "{}", line(40));
    }
}
