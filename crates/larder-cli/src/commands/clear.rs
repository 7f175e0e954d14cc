//! `larder clear`: everything is invalid in all processes, and the entries are gone from Redis.

use std::io::{self, IsTerminal, Write};

use larder::{Scope, Scopes, internal::inspect::Inspector};
use serde_json::json;

use super::invalidate::invalidate;
use crate::{
    cli::{Clear, Target},
    failure::{Answer, Failure},
    output::{Output, note},
    scan::Walk,
    units,
};

pub(crate) async fn run(target: &Target, clear: &Clear, output: &mut Output) -> Result<Answer, Failure> {
    let namespace =
        clear.namespace.as_deref().map(|prefix| format!("{}:", prefix.trim_end_matches(['*', ':'])));
    if namespace.as_deref().is_some_and(|prefix| prefix.len() == 1 || prefix.contains('*')) {
        return Err(Failure::usage("--namespace takes the beginning of keys up to a `:`, without a `*`"));
    }
    let inspector = target.connect().await?;
    if !clear.yes && !confirmed(&inspector, namespace.as_deref())? {
        note(output.json, "nothing was cleared");
        return Ok(Answer::No);
    }
    let scope = namespace.as_deref().map_or_else(Scope::all, Scope::prefix);
    // First: what is computed from here on may stay, and what is deleted by then is only memory.
    let epoch = invalidate(target, Scopes::from(scope)).await?;
    let deleted = delete(&inspector, namespace.as_deref().unwrap_or("")).await?;
    if output.json {
        let epoch = epoch.map(|epoch| epoch.to_string());
        output.json(&json!({ "prefix": inspector.prefix(), "namespace": namespace, "epoch": epoch, "deleted": deleted }))?;
    } else {
        output.line(format!(
            "cleared in all processes; {} deleted from Redis",
            units::so_many(deleted, ["entry", "entries"])
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
