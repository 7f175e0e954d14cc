//! `larder invalidate`: as a process of the program would.

use std::time::{Duration, Instant};

use larder::{CacheExt, Epoch, Invalidation, RedisCache, Scope, Scopes};
use serde_json::json;

use crate::{
    cli::{Invalidate, Target},
    failure::{Answer, Failure},
    output::Output,
    scan::scopes_of,
    units,
};

pub(crate) async fn run(target: &Target, what: &Invalidate, output: &mut Output) -> Result<Answer, Failure> {
    let (scopes, names) = match what.all {
        true => (Scopes::from(Scope::all()), vec!["everything".to_owned()]),
        false => {
            let tags = what.tags.iter().map(|tag| Scopes::from(Scope::tag(tag)));
            let scopes = std::iter::once(scopes_of(&what.scopes, what.exact)?).chain(tags).collect();
            let tags = what.tags.iter().map(|tag| format!("tag {tag}"));
            (scopes, what.scopes.iter().cloned().chain(tags).collect())
        }
    };
    let epoch = invalidate(target, scopes).await?;
    if output.json {
        output.json(&json!({ "invalidated": names, "epoch": epoch.map(|epoch| epoch.to_string()) }))?;
    } else {
        let names = units::printable(names.join(", ").as_bytes());
        let at = epoch.map(|epoch| format!(" at epoch {epoch}")).unwrap_or_default();
        output.line(format!("invalidated in all processes{at}: {names}"))?;
    }
    Ok(Answer::Yes)
}

/// Invalidates, and returns when the log has it. The epoch is known unless the log answered late.
pub(super) async fn invalidate(target: &Target, scopes: Scopes) -> Result<Option<Epoch>, Failure> {
    let cache = target.builder()?.connect().await?;
    if let Invalidation::Delivered(epoch) = cache.invalidate(scopes).await {
        return Ok(Some(epoch));
    }
    delivered_late(&cache).await.map(|()| None)
}

async fn delivered_late(cache: &RedisCache) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let end = Instant::now() + PATIENCE;
    while cache.link().waiting > 0 {
        if let Some(refusal) = cache.link().refusals.into_iter().find(|refusal| {
            matches!(refusal.operation, larder::Operation::Append | larder::Operation::Follow)
        }) {
            let text =
                format!("not invalidated: the server refuses {}: {}", refusal.operation, refusal.reply);
            return Err(Failure::refused(text, refusal.mend));
        }
        if Instant::now() > end {
            return Err(Failure::unfinished(
                "it is not known whether that is invalidated: the log does not answer",
                "run it again: to invalidate twice does no harm",
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
