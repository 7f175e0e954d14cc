//! `larder trim`: what no process serves any more takes no more memory.

use larder::internal::inspect::Inspector;
use serde_json::json;

use crate::{
    cli::Trim,
    failure::{Answer, Failure},
    output::Output,
    scan::{State, Walk},
    units,
};

pub(crate) async fn run(inspector: &Inspector, trim: &Trim, output: &mut Output) -> Result<Answer, Failure> {
    if let Some(records) = trim.log {
        let trimmed = inspector.trim_log(records).await?;
        match output.json {
            true => output.json(&json!({ "log": inspector.log_name(), "trimmed_records": trimmed }))?,
            false => output
                .line(format!("{} trimmed from the log", units::so_many(trimmed, ["record", "records"])))?,
        }
        return Ok(Answer::Yes);
    }
    let history = inspector.history(&[]).await?;
    let mut walk = Walk::entries(inspector, "").shown().await;
    let (mut seen, mut entries, mut bytes) = (0u64, 0u64, 0u64);
    while let Some(names) = walk.next().await? {
        let mut useless = Vec::new();
        let peeks = inspector.peek(&names).await?;
        for (name, peek) in names.into_iter().zip(peeks) {
            let (Some((_, key)), Some(peek)) = (inspector.parse(&name), peek) else { continue };
            seen += 1;
            let state = State::of(&history, &String::from_utf8_lossy(key), &peek);
            // What another release can read, or a process that has followed the log for longer, stays. If an entry was
            // replaced meanwhile, deleting it costs a hit, and is never wrong.
            if state.is_of_no_use() {
                bytes += peek.size;
                useless.push(name);
            }
        }
        entries += match trim.dry_run {
            true => useless.len() as u64,
            false => inspector.delete(&useless).await?,
        };
    }
    if output.json {
        output.json(
            &json!({ "looked_at": seen, "entries": entries, "bytes": bytes, "dry_run": trim.dry_run }),
        )?;
    } else {
        let did = if trim.dry_run { "would be deleted" } else { "deleted" };
        let (entries, seen, bytes) = (units::count(entries), units::count(seen), units::bytes(bytes));
        output.line(format!("{entries} of {seen} entries {did}: {bytes}"))?;
    }
    Ok(Answer::Yes)
}
