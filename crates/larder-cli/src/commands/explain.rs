//! `larder explain`: why an entry is served or not.

use std::{collections::HashSet, time::Duration};

use larder::{
    Epoch, ScopeHash,
    internal::{
        inspect::{History, Inspector, Peek, StoredEntry},
        own_scopes, unnamed_scope,
    },
};
use serde_json::{Value, json};

use crate::{
    cli::Explain,
    failure::{Answer, Failure},
    names,
    output::{Output, note},
    scan::{State, hashed_names},
    table::{Align, aligned},
    units,
};

/// For how long names of scopes are looked for: an answer is due within a second.
const PATIENCE: Duration = Duration::from_millis(500);

/// A scope of the entry, and what the log says of it.
struct Line {
    scope: ScopeHash,
    name: String,
    /// The last time that it was invalidated, and by which process.
    last: Option<(Epoch, u64)>,
    /// The last time that it was marked stale.
    marked: Option<(Epoch, u64)>,
    /// Whether that was after the computation began.
    marked_since: bool,
    /// Whether that was after the computation began.
    since: bool,
    times: usize,
}

pub(crate) async fn run(
    inspector: &Inspector,
    explain: &Explain,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let key = explain.key.as_str();
    let name = inspector.entry_name(key).into_bytes();
    let Some(peek) = inspector.peek(&[name]).await?.pop().flatten() else {
        return absent(inspector, explain, output).await;
    };
    let mut known = known(explain);
    let watched: Vec<_> = match &peek.entry {
        Ok(entry) => {
            let mut unnamed: HashSet<_> = entry.scopes().iter().copied().collect();
            known.iter().for_each(|(scope, _)| _ = unnamed.remove(scope));
            known.extend(names::find(inspector, unnamed, PATIENCE).await);
            entry.scopes().to_vec()
        }
        Err(_) => known.iter().map(|(scope, _)| *scope).collect(),
    };
    let history = inspector.history(&watched).await?;
    let mut state = State::of(&history, key, &peek);
    let lines = peek.entry.as_ref().map(|entry| lines(&history, entry, &known)).unwrap_or_default();
    let since: Vec<_> =
        lines.iter().filter(|line| line.since).map(|line| line.name.as_str()).take(4).collect();
    if !state.is_served && !since.is_empty() && state.is_of_no_use() {
        // The names that were given are known here.
        state.why = Some(format!("invalidated since: {}", since.join(", ")));
    }
    let marked: Vec<_> =
        lines.iter().filter(|line| line.marked_since).map(|line| line.name.as_str()).take(4).collect();
    if let (Some(why), false) = (&mut state.why, marked.is_empty())
        && state.name == "marked stale"
    {
        why.push_str(&format!(": {}", marked.join(", ")));
    }
    if output.json {
        let epoch = peek.entry.as_ref().ok().map(|entry| entry.epoch().to_string());
        output.json(&json!({
            "key": key,
            "served": state.is_served,
            "state": state.name,
            "why": state.why,
            "epoch": epoch,
            "log": history.extent().map(|extent| extent.last.to_string()),
            "scopes": lines.iter().map(Line::json).collect::<Vec<_>>(),
        }))?;
    } else {
        people(&history, key, &peek, &state, &lines, output)?;
    }
    Ok(state.is_served.into())
}

/// The names that are known of scopes.
fn known(explain: &Explain) -> Vec<(ScopeHash, String)> {
    let mut known = own_scopes(&explain.key);
    known.extend(names::given(&explain.tags, &explain.sources));
    known
}

fn lines(history: &History, entry: &StoredEntry, known: &[(ScopeHash, String)]) -> Vec<Line> {
    let scopes = entry.scopes().iter().copied().chain([ScopeHash::ALL]);
    let line = |scope: ScopeHash| {
        let name = known.iter().find(|(hash, _)| *hash == scope).map(|(_, name)| name.clone());
        let invalidations = history.invalidations_of(scope);
        let last = invalidations.first().copied();
        let marked = history.marks_of(scope).first().copied();
        Line {
            scope,
            name: name.unwrap_or_else(|| unnamed_scope(scope)),
            last,
            marked,
            marked_since: marked.is_some_and(|(at, _)| at > entry.epoch()),
            since: last.is_some_and(|(at, _)| at > entry.epoch()),
            times: invalidations.len(),
        }
    };
    let mut lines: Vec<_> = scopes.map(line).collect();
    // What drops it first: of thousands of scopes, only that is read.
    lines.sort_by_key(|line| (!line.since, !line.marked_since, line.last.is_none()));
    lines
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "scope": format!("{:016x}", self.scope.get()),
            "name": self.name,
            "invalidated_last": self.last.map(|(epoch, _)| epoch.to_string()),
            "by": self.last.and_then(|(_, sender)| process(sender)),
            "since_computed": self.since,
            "times_in_log": self.times,
            "marked_stale_last": self.marked.map(|(epoch, _)| epoch.to_string()),
            "marked_by": self.marked.and_then(|(_, sender)| process(sender)),
            "marked_since_computed": self.marked_since,
        })
    }
}

/// A process, by the number that it chose.
pub(crate) fn process(sender: u64) -> Option<String> {
    (sender != 0).then(|| format!("{sender:016x}"))
}

/// When a record was appended, as far as its ID tells.
fn when(epoch: Epoch, history: &History) -> String {
    history.dated(epoch).map_or_else(|| epoch.to_string(), units::time)
}

async fn absent(inspector: &Inspector, explain: &Explain, output: &mut Output) -> Result<Answer, Failure> {
    let known = known(explain);
    let watched: Vec<_> = known.iter().map(|(scope, _)| *scope).collect();
    let history = inspector.history(&watched).await?;
    let invalidations = watched.iter().chain([&ScopeHash::ALL]).flat_map(|&scope| {
        let name = known.iter().find(|(hash, _)| *hash == scope).map(|(_, name)| name.clone());
        let name = name.unwrap_or_else(|| unnamed_scope(scope));
        history.invalidations_of(scope).first().map(|&(epoch, sender)| (epoch, sender, name))
    });
    let last = invalidations.max_by_key(|(epoch, ..)| *epoch);
    let why = match &last {
        Some((epoch, sender, name)) => {
            let by = process(*sender).map(|sender| format!(" by process {sender}")).unwrap_or_default();
            format!(
                "what covers it was invalidated last at {}{by}: {name}. If it was computed since then: its time has ended, it was \
                 evicted, or its value cannot be shared (the program has warned of that)",
                when(*epoch, &history)
            )
        }
        None => "as far as the log goes back, nothing that covers it was invalidated: it was not computed, its time \
                 has ended, it was evicted, or its value cannot be shared (the program has warned of that)"
            .to_owned(),
    };
    hashed_names(inspector).await?.into_iter().for_each(|hint| note(output.json, hint));
    if output.json {
        output.json(&json!({
            "key": explain.key, "served": false, "state": "absent", "why": why,
            "epoch": null, "log": history.extent().map(|extent| extent.last.to_string()), "scopes": [],
        }))?;
    } else {
        output.line(format!("{}: not in Redis", units::printable(explain.key.as_bytes())))?;
        output.line(units::printable(why.as_bytes()))?;
    }
    Ok(Answer::No)
}

fn people(
    history: &History,
    key: &str,
    peek: &Peek,
    state: &State,
    lines: &[Line],
    output: &mut Output,
) -> Result<(), Failure> {
    /// More lines than that are not read.
    const MOST: usize = 40;
    let key = units::printable(key.as_bytes());
    let verdict = if state.is_served { "would be served" } else { "would not be served" };
    output.line(format!("{key}: {verdict} by a process that connects now ({})", state.name))?;
    if let Some(why) = &state.why {
        output.line(format!("  {}", units::printable(why.as_bytes())))?;
    }
    let Ok(entry) = &peek.entry else { return Ok(()) };
    output.line(format!(
        "computed at {}, at the epoch {}; expires in {}",
        units::time(entry.lifetimes().created_ms),
        entry.epoch(),
        peek.ttl.map_or_else(|| "no time".to_owned(), units::duration),
    ))?;
    output.line("")?;
    let mut rows = vec![["SCOPE", "INVALIDATED LAST", "BY PROCESS", ""].map(str::to_owned).to_vec()];
    let when_marked = lines.iter().take(MOST).filter_map(|line| {
        let (at, sender) = line.marked?;
        let since = if line.marked_since { "after" } else { "before" };
        Some(vec![
            units::printable(line.name.as_bytes()),
            format!("{} (marked stale)", when(at, history)),
            process(sender).unwrap_or_else(|| "-".to_owned()),
            format!("{since} it was computed"),
        ])
    });
    rows.extend(when_marked);
    for line in lines.iter().take(MOST) {
        rows.push(vec![
            units::printable(line.name.as_bytes()),
            line.last.map_or_else(|| "not in the log".to_owned(), |(at, _)| when(at, history)),
            line.last.and_then(|(_, sender)| process(sender)).unwrap_or_else(|| "-".to_owned()),
            match (line.since, line.last) {
                (true, _) => "after it was computed",
                (false, Some(_)) => "before it was computed",
                (false, None) => "",
            }
            .to_owned(),
        ]);
    }
    output.text(&aligned(&[Align::Left; 4], &rows))?;
    if lines.len() > MOST {
        output.line(format!("and {} more scopes: --json has all", lines.len() - MOST))?;
    }
    Ok(())
}
