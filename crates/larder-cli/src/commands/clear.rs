//! `larder clear`: everything is invalid in all processes, and the entries are gone from Redis.

use std::io::{self, IsTerminal, Write};

use larder::{Scope, Scopes, internal::inspect::Inspector};
use serde_json::json;

use super::invalidate::invalidate;
use crate::{
    cli::{Clear, Target},
    failure::{Answer, Failure},
    output::{Output, note},
    scan::{Walk, hashed_names},
    units,
};

pub(crate) async fn run(target: &Target, clear: &Clear, output: &mut Output) -> Result<Answer, Failure> {
    let namespace =
        clear.namespace.as_deref().map(|prefix| format!("{}:", prefix.trim_end_matches(['*', ':'])));
    if namespace.as_deref().is_some_and(|prefix| prefix.len() == 1 || prefix.contains('*')) {
        return Err(Failure::usage("--namespace takes the beginning of keys up to a `:`, without a `*`"));
    }
    let inspector = target.connect().await?;
    // Of a hash it is not known how the key began.
    let is_hashed = inspector.hashes_keys() || hashed_names(&inspector).await?.is_some();
    let is_hidden = namespace.is_some() && is_hashed;
    if clear.dry_run && is_hidden {
        return Err(Failure::usage(
            "the names of keys are hashed here: entries of a namespace cannot be told from others",
        )
        .with_mend("leave out --namespace to count all entries"));
    }
    if clear.dry_run {
        return look(&inspector, namespace.as_deref(), output).await;
    }
    if !clear.yes && !confirmed(&inspector, namespace.as_deref())? {
        note(output.json, "nothing was cleared");
        return Ok(Answer::No);
    }
    let scope = namespace.as_deref().map_or_else(Scope::all, Scope::prefix);
    // First: what is computed from here on may stay, and what is deleted by then is only memory.
    let epoch = invalidate(target, Scopes::from(scope)).await?;
    let deleted = delete(&inspector, namespace.as_deref().unwrap_or("")).await?;
    if is_hidden {
        note(
            output.json,
            "the names of keys are hashed here: what was cleared stays in Redis until its TTL ends, or `larder trim` deletes it",
        );
    }
    if output.json {
        let epoch = epoch.map(|epoch| epoch.to_string());
        output.json(&json!({
            "prefix": inspector.prefix(), "namespace": namespace, "epoch": epoch, "deleted": deleted,
            "bytes": null, "dry_run": false,
        }))?;
    } else {
        output.line(format!(
            "cleared in all processes; {} deleted from Redis",
            units::so_many(deleted, ["entry", "entries"])
        ))?;
    }
    Ok(Answer::Yes)
}

/// Says what would be deleted.
async fn look(
    inspector: &Inspector,
    namespace: Option<&str>,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let mut walk = Walk::entries(inspector, namespace.unwrap_or("")).shown().await;
    let (mut entries, mut bytes) = (0, 0);
    while let Some(names) = walk.next().await? {
        bytes += inspector.sizes(&names).await?.iter().sum::<u64>();
        entries += names.len() as u64;
    }
    if output.json {
        output.json(&json!({
            "prefix": inspector.prefix(), "namespace": namespace, "epoch": null, "deleted": entries,
            "bytes": bytes, "dry_run": true,
        }))?;
    } else {
        let (entries, bytes) = (units::so_many(entries, ["entry", "entries"]), units::bytes(bytes));
        output.line(format!(
            "{entries} would be deleted from Redis: {bytes}; what processes are asked for again, they compute"
        ))?;
    }
    Ok(Answer::Yes)
}

async fn delete(inspector: &Inspector, begin: &str) -> Result<u64, Failure> {
    let mut walk = Walk::entries(inspector, begin).shown().await;
    let mut deleted = 0;
    while let Some(names) = walk.next().await? {
        deleted += inspector.delete(&names).await?;
    }
    Ok(deleted)
}

/// Asks the one who types.
fn confirmed(inspector: &Inspector, namespace: Option<&str>) -> Result<bool, Failure> {
    let servers: Vec<_> = inspector.masters().iter().map(|master| master.name()).collect();
    let what = match namespace {
        Some(prefix) => format!("all entries of {prefix}* under the prefix {:?}", inspector.prefix()),
        None => format!("all entries under the prefix {:?}", inspector.prefix()),
    };
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "nothing was cleared: say --yes to clear {what}; there is no terminal to ask at"
        )));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "Clear {what} on {}? Type yes: ", servers.join(", "))?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
