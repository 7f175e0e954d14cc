//! A new start, and making the log anew.

use std::sync::Arc;

use super::{
    contract::{LogConnection, LogEntry, LogError},
    record::Content,
    report::report,
    state::{Cause, Shared, count},
};
use crate::{
    epoch::{
        Epoch,
        shared::{Instant, RESET_MARGIN, RESET_SPREAD},
    },
    mutant::{self, Rule},
};

/// A log that is lost again each time it was made anew.
const MOST_RESETS: usize = 3;

/// A new start that was made.
pub(super) struct Started {
    /// The last epoch of the log as it was then: it is to be read from there, forwards and backwards.
    pub(super) tip: Epoch,
    /// The newest record.
    pub(super) newest: Option<LogEntry>,
    /// Whether the IDs of the log were lowered for it.
    pub(super) lowered: bool,
}

/// What the reader knows of the log from before.
pub(super) struct KnownLog<'a> {
    /// The newest record that it has read.
    pub(super) newest: Option<&'a LogEntry>,
    /// Whether it leaves a log where it is that leapt to IDs far above all that it has seen.
    pub(super) yields: bool,
}

/// Begins anew, from the tip of the log as it is now: whatever was known before, and whatever is in memory, cannot
/// be proved any longer. Makes the log anew if it is gone, or below what was seen; or if the server was replaced or the log
/// set back, and it does not have the newest record that this process has read.
///
/// A log that leapt to IDs far above all that this process has seen is made anew below them; but not if it `yields`:
/// then other processes go on up there, and IDs that rise are as good as any.
pub(super) async fn start_anew(
    shared: &Shared,
    link: &mut dyn LogConnection,
    cause: Cause,
    known: KnownLog<'_>,
) -> Result<Started, LogError> {
    if cause != Cause::First {
        let log = &shared.name;
        report(
            || tracing::warn!(log, %cause, "following the invalidation log anew: everything cached is invalid"),
        );
    }
    let mut lowered = false;
    for _ in 0..MOST_RESETS {
        let sent = Instant::now();
        let (ends, time_ms) = link.look(shared.deadline).await?;
        shared.contact().set_server_time(time_ms);
        let highest = shared.log().highest();
        let id = Epoch::after(highest, time_ms, RESET_MARGIN + fastrand::u64(..RESET_SPREAD));
        let tip = ends.as_ref().map_or(Epoch::ZERO, |ends| ends.last);
        if tip.is_beyond_the_end() || (shared.log().is_leap(tip) && !known.yields) {
            count(&shared.counts.malformed, 1);
            lowered |= lower(shared, link, tip, id).await?;
            continue;
        }
        let is_whole = match &ends {
            None => false,
            Some(_) if tip < highest => false,
            Some(_) if matches!(cause, Cause::Replica | Cause::Loss) => {
                continues(shared, link, highest, known.newest).await?
            }
            Some(_) => true,
        };
        if is_whole {
            shared.epochs.start_anew(tip);
            // Before it is told that the log is followed: a call that waited for that finds it in touch.
            shared.contact().prove(sent);
            complete(shared, link, cause);
            let newest = ends.and_then(|ends| ends.newest);
            return Ok(Started { tip, newest, lowered });
        }
        reset(shared, link, id.map(|id| id.max(tip.next()))).await?;
    }
    Err(LogError::new("the log is lost as soon as it was made"))
}

/// Makes a log anew whose IDs are too high to follow, below them; tells whether it did.
///
/// Nothing of such a log was applied. What its records cover is covered by the new start.
async fn lower(
    shared: &Shared,
    link: &mut dyn LogConnection,
    last: Epoch,
    id: Option<Epoch>,
) -> Result<bool, LogError> {
    let id = id.ok_or_else(beyond)?;
    let above_ms = shared.log().longest_leap().milliseconds();
    let lowered =
        link.lower(above_ms, id, Content::reset().encode(), shared.deadline).await.map_err(|failure| {
            let log = &shared.name;
            let reason = format!(
                "the log has an ID that no server gives, and cannot be made anew; delete {log} where it is kept"
            );
            failure.saying(reason)
        })?;
    if !lowered {
        // Another process was faster.
        return Ok(false);
    }
    count(&shared.counts.resets, 1);
    let log = &shared.name;
    report(|| {
        tracing::warn!(
            log,
            %last,
            %id,
            "the invalidation log had an ID far above its server's clock: another program wrote it; the log is made \
             anew"
        );
    });
    Ok(true)
}

fn beyond() -> LogError {
    LogError::new("the server's clock is beyond what an epoch can hold")
}

/// Whether nothing is missing from the log of a server that took the place of another one, as far as this process
/// knows. A replica has what its master had up to some record, and nothing after it: if it has the newest one that was
/// read, it has all of them. If not, everything was invalidated since, by a process that found out the same.
///
/// The epoch alone would not tell: two servers may give one ID to two records.
pub(super) async fn continues(
    shared: &Shared,
    link: &mut dyn LogConnection,
    highest: Epoch,
    seen: Option<&LogEntry>,
) -> Result<bool, LogError> {
    /// How many records are looked through, some at a time, for one that covers everything.
    const PAGES: usize = 32;
    const PAGE: usize = 32;

    if highest == Epoch::ZERO || mutant::is(Rule::ReplicaTakenForWhole) {
        return Ok(true);
    }
    let seen = seen.filter(|seen| seen.epoch == highest && seen.content.is_some());
    if seen.is_some() && link.newest(highest, Some(highest.next()), 1, shared.deadline).await?.first() == seen
    {
        return Ok(true);
    }
    let mut below = None;
    for _ in 0..PAGES {
        let page = link.newest(highest.next(), below, PAGE, shared.deadline).await?;
        if page.iter().filter_map(|entry| entry.content.as_ref()).any(Content::covers_everything) {
            return Ok(true);
        }
        match page.last() {
            Some(oldest) if page.len() == PAGE => below = Some(oldest.epoch),
            _ => break,
        }
    }
    Ok(false)
}

fn complete(shared: &Shared, link: &dyn LogConnection, cause: Cause) {
    count(&shared.counts.starts[cause as usize], 1);
    shared.starts.send_modify(|starts| {
        starts.history = Some(Arc::from(link.server().history.as_str()));
        starts.completed += 1;
        starts.failure = None;
    });
    shared.moved.notify_waiters();
}

/// Appends a record that covers everything, far above all that was seen. Several processes may do so: the explicit
/// IDs let one of them win, and a second record does no harm.
async fn reset(shared: &Shared, link: &mut dyn LogConnection, id: Option<Epoch>) -> Result<(), LogError> {
    let id = id.ok_or_else(beyond)?;
    if !link.create(id, Content::reset().encode(), shared.deadline).await? {
        // Another process was faster.
        return Ok(());
    }
    count(&shared.counts.resets, 1);
    let log = &shared.name;
    if shared.log().highest() == Epoch::ZERO {
        report(|| tracing::info!(log, %id, "there was no invalidation log yet: it is made"));
    } else {
        report(|| {
            tracing::warn!(
                log,
                %id,
                "the invalidation log was lost, or records of it were: everything is invalidated, in all processes"
            );
        });
    }
    Ok(())
}
