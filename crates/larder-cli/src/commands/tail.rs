//! `larder tail`: what is invalidated, as it happens.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use larder::{
    ScopeHash,
    internal::inspect::{Inspector, LogEvent, is_mark},
};
use serde_json::{Value, json};

use super::explain::process;
use crate::{
    cli::Tail,
    failure::{Answer, Failure},
    names::{self, Names},
    output::{Output, note},
    units,
};

/// How often the log is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// How often keys are looked for that are new, to know them by their names.
const LEARN: Duration = Duration::from_secs(5);

pub(crate) async fn run(inspector: &Inspector, tail: &Tail, output: &mut Output) -> Result<Answer, Failure> {
    let mut follower = inspector.follow().await?;
    let mut names = Names::new(names::given(&tail.tags, &tail.names));
    names.learn(inspector).await?;
    let mut learned = tokio::time::Instant::now();
    let log = inspector.log_name();
    note(
        output.json,
        &match follower.exists() {
            true => format!("following {log}; Ctrl-C ends it"),
            false => format!("there is no {log} so far; waiting for a process that makes it; Ctrl-C ends it"),
        },
    );
    let mut left = tail.count.unwrap_or(u64::MAX);
    let end = tokio::signal::ctrl_c();
    tokio::pin!(end);
    // From its first poll on Ctrl-C is heard, and ends nothing by itself.
    let mut ended = is_ready(&mut end).await;
    while left > 0 && !ended {
        let events = follower.next().await?;
        let is_idle = events.is_empty();
        for event in events {
            let is_wanted = tail.all || !matches!(event, LogEvent::Computed { .. } | LogEvent::Joined { .. });
            if is_wanted && left > 0 {
                write(&event, &names, output)?;
                left -= 1;
            }
        }
        output.flush()?;
        if !is_idle || left == 0 {
            // Looked at in a log as well that does not rest.
            ended = is_ready(&mut end).await;
            continue;
        }
        if learned.elapsed() >= LEARN {
            names.learn(inspector).await?;
            learned = tokio::time::Instant::now();
        }
        tokio::select! {
            _ = &mut end => return Ok(Answer::Yes),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(Answer::Yes)
}

/// Whether a future is ready now: it is polled once.
async fn is_ready(future: &mut (impl Future + Unpin)) -> bool {
    let mut future = Pin::new(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

fn write(event: &LogEvent, names: &Names, output: &mut Output) -> Result<(), Failure> {
    let (kind, epoch, scopes, sender) = match event {
        LogEvent::Invalidated { epoch, sender, scopes } => {
            let is_soft = !scopes.is_empty() && scopes.iter().all(|scope| is_mark(*scope));
            let kind = if is_soft { "marked stale" } else { "invalidated" };
            (kind, epoch, scopes.clone(), *sender)
        }
        LogEvent::Computed { epoch, key, has_value: true } => ("computed", epoch, vec![*key], 0),
        LogEvent::Computed { epoch, key, .. } => ("not computed", epoch, vec![*key], 0),
        LogEvent::Joined { epoch, sender } => ("process", epoch, Vec::new(), *sender),
        LogEvent::Unreadable { epoch } => ("unreadable", epoch, vec![ScopeHash::ALL], 0),
        LogEvent::Gap { epoch } => ("gap", epoch, vec![ScopeHash::ALL], 0),
        _ => return Ok(()),
    };
    let by = process(sender);
    if output.json {
        let scope = |scope: &ScopeHash| -> Value {
            json!({ "hash": format!("{:016x}", scope.get()), "name": names.get(*scope) })
        };
        let scopes: Vec<_> = scopes.iter().map(scope).collect();
        return output.json(&json!({
            "event": kind, "epoch": epoch.to_string(), "scopes": scopes, "by": by,
        }));
    }
    let scopes: Vec<_> = scopes.iter().map(|scope| units::printable(names.of(*scope).as_bytes())).collect();
    let by = by.map(|by| format!("  by {by}")).unwrap_or_default();
    output.line(format!("{:<20}  {kind:<12}  {}{by}", epoch.to_string(), scopes.join(", ")))
}
