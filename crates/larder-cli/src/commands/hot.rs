//! `larder hot`: the keys that are asked for most. No server is watched for it, as `MONITOR` would.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use larder::internal::inspect::Inspector;
use serde_json::json;

use super::status::Server;
use crate::{
    failure::{Answer, Failure},
    fleet::Fleet,
    output::{Output, note, note_json},
    scan::Walk,
    table::{Align, aligned},
    units,
};

/// For how long keys are looked at whose frequencies the servers know.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(inspector: &Inspector, n: usize, output: &mut Output) -> Result<Answer, Failure> {
    let fleet = Fleet::read(inspector).await?;
    if fleet.0.iter().any(|beat| beat.hot.is_some()) {
        return by_processes(&fleet, n, output);
    }
    let mut policies = Vec::new();
    for master in inspector.masters() {
        policies.push(Server::ask(inspector, &master).await?.policy);
    }
    if policies.iter().all(|policy| policy.ends_with("-lfu")) {
        return by_servers(inspector, n, output).await;
    }
    let why = match fleet.0.is_empty() {
        true => "no process publishes a heartbeat",
        false => "what processes publish has no keys, because their names are not to be seen in Redis",
    };
    policies.sort();
    policies.dedup();
    let why = format!("{why}, and the policy {} keeps no frequencies of keys", policies.join(", "));
    let mend = "call `larder::heartbeat` in the program, or choose a maxmemory-policy that ends with -lfu";
    match output.json {
        // The answers are keys, and there are none.
        true => note_json(
            &json!({ "note": format!("it cannot be known which keys are hot: {why}"), "mend": mend }),
        ),
        false => output.line(format!("it cannot be known which keys are hot: {why}\n  mend: {mend}"))?,
    }
    Ok(Answer::No)
}

/// By what processes say: hits in their memory, of which one in 64 is looked at.
fn by_processes(fleet: &Fleet, n: usize, output: &mut Output) -> Result<Answer, Failure> {
    let mut rows = vec![["HITS/S", "PROCESSES", "KEY"].map(str::to_owned).to_vec()];
    let hottest = fleet.hot();
    for (key, rate, processes) in hottest.iter().take(n) {
        match output.json {
            true => output.json(&json!({
                "key": key, "hits_per_second": rate, "processes": processes, "frequency": null,
            }))?,
            false => rows.push(vec![
                units::rate(*rate),
                units::count(*processes as u64),
                units::printable(key.as_bytes()),
            ]),
        }
    }
    if hottest.is_empty() {
        note(
            output.json,
            "no key was hit often in the last beat of a process: one hit in memory of 64 is looked at",
        );
    } else if !output.json {
        output.text(&aligned(&[Align::Right, Align::Right, Align::Left], &rows))?;
        note(
            output.json,
            "hits in the memory of processes, in the last beat of each; one hit in 64 is looked at",
        );
    }
    Ok(Answer::Yes)
}

/// By what servers know that evict what is used least: a logarithm of how often a key was read, which falls by itself.
async fn by_servers(inspector: &Inspector, n: usize, output: &mut Output) -> Result<Answer, Failure> {
    let (end, mut hot) = (Instant::now() + PATIENCE, Vec::new());
    let mut walk = Walk::entries(inspector, "");
    let mut is_whole = true;
    while let Some(names) = walk.next().await? {
        let frequencies = inspector.frequencies(&names).await?;
        hot.extend(names.into_iter().zip(frequencies).filter_map(|(name, of)| Some((of?, name))));
        hot.sort_by(|one: &(u64, Vec<u8>), other| other.cmp(one));
        // A scan may give a name twice.
        let mut seen = HashSet::new();
        hot.retain(|(_, name)| seen.insert(name.clone()));
        hot.truncate(n);
        if Instant::now() >= end {
            is_whole = false;
            break;
        }
    }
    let mut rows = vec![["FREQUENCY", "KEY"].map(str::to_owned).to_vec()];
    for (frequency, name) in &hot {
        let Some((_, key)) = inspector.parse(name) else { continue };
        match output.json {
            true => output.json(&json!({
                "key": String::from_utf8_lossy(key), "hits_per_second": null, "processes": null,
                "frequency": frequency,
            }))?,
            false => rows.push(vec![units::count(*frequency), units::printable(key)]),
        }
    }
    if !output.json {
        output.text(&aligned(&[Align::Right, Align::Left], &rows))?;
        let all = if is_whole { "all" } else { "a sample of" };
        note(
            output.json,
            &format!(
                "by the servers' own counters (0 to 255, a logarithm), of {all} keys: reads from Redis alone"
            ),
        );
    }
    Ok(Answer::Yes)
}
