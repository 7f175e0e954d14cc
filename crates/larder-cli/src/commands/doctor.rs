//! `larder doctor`: all that is wrong with these servers for larder, and what mends it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::internal::inspect::{Inspector, Kind};
use serde::Serialize;

use super::status::{Server, percent};
use crate::{
    cli::Target,
    failure::{Answer, Failure},
    output::Output,
    scan::PAGE,
    units,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// It works, and may cost something.
    Warning,
    /// Something does not work, or will not.
    Wrong,
}

/// What was found out about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    about: &'static str,
    text: String,
    mend: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, about, text: text.into(), mend: None }
    }

    fn warning(about: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warning, about, text: text.into(), mend: Some(mend.into()) }
    }

    fn wrong(about: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Wrong, about, text: text.into(), mend: Some(mend.into()) }
    }
}

pub(crate) async fn run(target: &Target, output: &mut Output) -> Result<Answer, Failure> {
    let inspector = target.connect().await?;
    let mut findings = Vec::new();
    rights(&inspector, &mut findings).await;
    for master in inspector.masters() {
        match Server::ask(&inspector, &master).await {
            Ok(server) => memory(&server, &mut findings),
            Err(failure) => findings.push(unknown("server", failure)),
        }
    }
    match prefix(&inspector).await {
        Ok(found) => findings.extend(found),
        Err(failure) => findings.push(unknown("prefix", failure)),
    }
    match log(&inspector).await {
        Ok(found) => findings.extend(found),
        Err(failure) => findings.push(unknown("log", failure)),
    }
    let is_well = findings.iter().all(|finding| finding.level != Level::Wrong);
    if output.json {
        output.json(
            &serde_json::json!({ "prefix": inspector.prefix(), "well": is_well, "findings": findings }),
        )?;
        return Ok(is_well.into());
    }
    for Finding { level, about, text, mend } in &findings {
        let mark = match level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Wrong => "WRONG",
        };
        output.line(format!("{mark:<8} {about:<8} {text}"))?;
        if let Some(mend) = mend {
            output.line(format!("{:<18}mend: {mend}", ""))?;
        }
    }
    Ok(is_well.into())
}

/// What could not be looked at, most likely for want of a right that larder itself does not need.
fn unknown(about: &'static str, failure: Failure) -> Finding {
    let text = failure.to_string();
    let (text, mend) =
        text.trim().trim_start_matches("larder: ").split_once("\n  mend: ").unwrap_or((text.trim(), ""));
    let text = text.trim_start_matches("larder: ");
    let mend =
        if mend.is_empty() { "give this command's user the right, or run it as another user" } else { mend };
    Finding::warning(about, format!("not checked: {text}"), mend)
}

/// Whether the commands are there that larder needs, and this user may use them. None of these changes anything.
async fn rights(inspector: &Inspector, findings: &mut Vec<Finding>) {
    let log = inspector.log_name();
    let entry = inspector.entry_name("larder-probe");
    // Reading, storing and scripts were asked about when the connection was made.
    let mut refused = inspector.refusals();
    let probes: [(&[&str], &str, &[&str]); 13] = [
        (&["XADD"], &log, &["NOMKSTREAM", "0-0", "r", ""]),
        (&["XREAD", "COUNT", "1", "STREAMS"], &log, &["$"]),
        (&["XREVRANGE"], &log, &["+", "-", "COUNT", "1"]),
        (&["XINFO", "STREAM"], &log, &[]),
        (&["GETRANGE"], &entry, &["0", "0"]),
        (&["PTTL"], &entry, &[]),
        (&["UNLINK"], &entry, &[]),
        (&["SETRANGE"], &entry, &["0", ""]),
        (&["PEXPIRE"], &entry, &["1"]),
        (&["DEL"], &entry, &[]),
        (&["EXISTS"], &entry, &[]),
        // No number: it is refused for that, if it is allowed.
        (&["INCRBY"], &entry, &["none"]),
        (&["HMGET"], &entry, &["none"]),
    ];
    for (before, key, after) in probes {
        refused.extend(inspector.objection(before, key, after).await);
    }
    if refused.is_empty() {
        return findings.push(Finding::ok("rights", "all commands that larder needs are there and allowed"));
    }
    // Of missing rights, the last mend names all.
    let all = refused.iter().rev().find(|refusal| refusal.mend.contains("ACL SETUSER")).cloned();
    let mut said = Vec::new();
    for refusal in refused {
        let is_right = refusal.mend.contains("ACL SETUSER");
        let mend = match &all {
            Some(all) if is_right => all.mend.clone(),
            _ => refusal.mend,
        };
        if !said.contains(&mend) {
            said.push(mend.clone());
            findings.push(Finding::wrong("rights", refusal.reply, mend));
        }
    }
}

fn memory(server: &Server, findings: &mut Vec<Finding>) {
    let Server { name, version, used_memory: used, maxmemory: limit, policy, evicted, .. } = server;
    findings.push(Finding::ok("server", format!("{name} is {version}")));
    let is_selective = policy == "noeviction" || policy.starts_with("volatile-") || policy.is_empty();
    if !is_selective {
        findings.push(Finding::wrong(
            "memory",
            format!(
                "{name}: the policy {policy} may evict the invalidation log, which has no lifetime: then everything in \
                 all caches is dropped at once ({} keys evicted so far)",
                units::count(*evicted)
            ),
            "CONFIG SET maxmemory-policy volatile-lru, and the same in the server's configuration",
        ));
    }
    if *limit == 0 {
        return findings.push(Finding::warning(
            "memory",
            format!("{name}: {} used, and no limit: the machine's memory is the limit", units::bytes(*used)),
            "CONFIG SET maxmemory <bytes> and maxmemory-policy volatile-lru, so that old entries go first",
        ));
    }
    let text = format!("{name}: {} of {} used, {policy}", percent(*used, *limit), units::bytes(*limit));
    findings.push(match (*used > limit / 10 * 8, policy.as_str()) {
        (false, _) => Finding::ok("memory", text),
        (true, "noeviction") => Finding::wrong(
            "memory",
            format!("{text}: when it is full, nothing can be stored or invalidated"),
            "CONFIG SET maxmemory-policy volatile-lru, or a larger maxmemory",
        ),
        (true, _) => {
            Finding::warning("memory", text, "a larger maxmemory, shorter TTLs, or see: larder largest")
        }
    });
}

/// Whether others write under the prefix.
async fn prefix(inspector: &Inspector) -> Result<Vec<Finding>, Failure> {
    /// So many keys of each server are looked at.
    const SAMPLE: usize = 10_000;
    let prefix = inspector.prefix();
    let mut findings = Vec::new();
    if !inspector.has_own_prefix() {
        findings.push(Finding::warning(
            "prefix",
            format!("{prefix:?} is the default: every program that names no prefix reads and writes the same entries"),
            "name one: LARDER_PREFIX=shop, or ?prefix=shop in the URL, here and in the program",
        ));
    }
    let (mut seen, mut foreign, mut immortal) = (0u64, Vec::new(), Vec::new());
    let pattern = inspector.pattern(None);
    for master in inspector.masters() {
        let (mut cursor, mut here) = (0, 0);
        loop {
            let page = inspector.scan(&master, cursor, Some(&pattern), PAGE).await?;
            here += page.names.len().max(PAGE / 10);
            seen += page.names.len() as u64;
            let (entries, others): (Vec<_>, Vec<_>) = page
                .names
                .into_iter()
                .partition(|name| matches!(inspector.parse(name), Some((Kind::Entry, _))));
            foreign.extend(others.into_iter().filter(|name| inspector.parse(name).is_none()));
            for (name, peek) in entries.iter().zip(inspector.peek(&entries).await?) {
                let Some(peek) = peek else { continue };
                match peek.entry {
                    Err("magic" | "type") => foreign.push(name.clone()),
                    _ if peek.ttl.is_none() => immortal.push(name.clone()),
                    _ => {}
                }
            }
            foreign.truncate(PAGE);
            immortal.truncate(PAGE);
            cursor = page.cursor;
            if cursor == 0 || here >= SAMPLE {
                break;
            }
        }
    }
    let example = |names: &[Vec<u8>]| names.first().map(|name| units::printable(name)).unwrap_or_default();
    if !foreign.is_empty() {
        findings.push(Finding::warning(
            "prefix",
            format!(
                "{} not larder's: {}",
                units::so_many(foreign.len() as u64, ["key under it is", "keys under it are"]),
                example(&foreign)
            ),
            "have the other program use another prefix, or choose another one here",
        ));
    }
    if !immortal.is_empty() {
        let entries = units::so_many(immortal.len() as u64, ["entry has", "entries have"]);
        findings.push(Finding::warning(
            "prefix",
            format!("{entries} no TTL, which is for ever: {}", example(&immortal)),
            "another program has removed it (PERSIST, or a copy without TTL): larder clear, or delete them",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "prefix",
            format!("{prefix:?}: {} looked at", units::so_many(seen, ["key", "keys"])),
        ));
    }
    Ok(findings)
}

async fn log(inspector: &Inspector) -> Result<Vec<Finding>, Failure> {
    /// The library keeps about half of that.
    const LONG: u64 = 200_000;
    /// A log that was made anew is ahead of the clock by two minutes.
    const AHEAD_MS: u64 = 150_000;
    let name = inspector.log_name();
    let now = inspector.server_time_ms().await?;
    let mut findings = Vec::new();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let difference = here.abs_diff(Duration::from_millis(now));
    if difference > Duration::from_secs(5) {
        findings.push(Finding::warning(
            "clock",
            format!("the server's clock and this machine's differ by {}", units::duration(difference)),
            "let both follow a time server; larder itself relies on the server's alone",
        ));
    }
    let Some(extent) = inspector.log_extent().await? else {
        findings.push(Finding::ok("log", format!("there is no {name} so far: the first process makes it")));
        return Ok(findings);
    };
    if extent.is_forged {
        findings.push(Finding::wrong(
            "log",
            format!("{name} has the ID {}, which no server gives: another program wrote it", extent.last),
            "larder invalidate --all: whatever follows the log makes it anew",
        ));
    } else if milliseconds(&extent.last.to_string()) > now + AHEAD_MS {
        findings.push(Finding::warning(
            "log",
            format!("{name} is ahead of the server's clock: it was lost and made anew more than once"),
            "see what loses it: eviction, FLUSHALL, a restart without its data, failovers",
        ));
    }
    if inspector.lifetime(&name).await?.is_some() {
        findings.push(Finding::wrong(
            "log",
            format!("{name} has a TTL: when it ends, everything in all caches is dropped"),
            format!("PERSIST {name}, and find out which program gave it one"),
        ));
    }
    if extent.records > LONG {
        findings.push(Finding::warning(
            "log",
            format!(
                "{name} has {} records: other programs append to it untrimmed",
                units::count(extent.records)
            ),
            "larder trim --log 100000",
        ));
    }
    if findings.is_empty() {
        let records = units::so_many(extent.records, ["record", "records"]);
        findings.push(Finding::ok("log", format!("{name}: {records}, the last one {}", extent.last)));
    }
    Ok(findings)
}

fn milliseconds(id: &str) -> u64 {
    id.split_once('-').and_then(|(milliseconds, _)| milliseconds.parse().ok()).unwrap_or(0)
}
