//! A new start, and making the log anew.

use std::sync::Arc;

use ::redis::pipe;

use super::{
    connect::{Link, Trouble},
    record::{Content, FIELD},
    reply::{self, Ends},
    sender::MOST_RECORDS,
    shared::{Cause, Shared, count},
};
use crate::epoch::{Epoch, Instant};

/// How far above everything that was ever seen a log is made anew: more than clocks differ, and than was appended
/// without anybody alive having seen it.
const MARGIN_MS: u64 = 60_000;

/// A log that is lost again each time it was made anew.
const MOST_RESETS: usize = 3;

/// Begins anew, from the tip of the log as it is now: whatever was known before, and whatever is in memory, cannot
/// be proved any longer. Makes the log anew if it is gone, or below what was seen.
///
/// Returns the epoch from which on, downwards, the log is to be read backwards.
pub(super) async fn start_anew(shared: &Shared, link: &mut Link, cause: Cause) -> Result<Epoch, Trouble> {
    if cause != Cause::First {
        tracing::warn!(log = shared.key, %cause, "following the invalidation log anew: everything cached is invalid");
    }
    for _ in 0..MOST_RESETS {
        let sent = Instant::now();
        let (ends, time_ms) = look(shared, link).await?;
        shared.contact().set_server_time(time_ms);
        let highest = shared.log().highest();
        match ends {
            Some(Ends { last: tip, .. }) if tip >= highest => {
                shared.epochs.start_anew(tip);
                complete(shared, link, cause);
                shared.contact().prove(sent);
                return Ok(tip.next());
            }
            _ => reset(shared, link, Epoch::after(highest, time_ms, MARGIN_MS)).await?,
        }
    }
    Err(Trouble::new("the log is lost as soon as it was made"))
}

/// Both ends of the log, and the server's time.
async fn look(shared: &Shared, link: &mut Link) -> Result<(Option<Ends>, u64), Trouble> {
    let mut commands = pipe();
    commands.cmd("XINFO").arg("STREAM").arg(&shared.key).cmd("TIME");
    let replies = link.ask(&commands, shared.deadline).await?;
    let [ends, time] = <[_; 2]>::try_from(replies).map_err(|_| Trouble::new("replies are missing"))?;
    Ok((reply::ends(ends)?, reply::time_ms(time)?))
}

fn complete(shared: &Shared, link: &Link, cause: Cause) {
    count(&shared.counts.starts[cause as usize], 1);
    shared.starts.send_modify(|starts| {
        starts.replid = Some(Arc::from(link.facts().replid.as_str()));
        starts.completed += 1;
        starts.trouble = None;
    });
    shared.moved.notify_waiters();
}

/// Appends a record that covers everything, far above all that was seen. Several processes may do so: the explicit
/// IDs let one of them win, and a second record does no harm.
async fn reset(shared: &Shared, link: &mut Link, id: Option<Epoch>) -> Result<(), Trouble> {
    let id = id.ok_or_else(|| Trouble::new("the server's clock is beyond what an epoch can hold"))?;
    let mut commands = pipe();
    commands.cmd("XADD").arg(&shared.key).arg("MAXLEN").arg("~").arg(MOST_RECORDS).arg(id.to_string());
    commands.arg(FIELD).arg(Content::reset().encode());
    let reply = link.ask(&commands, shared.deadline).await?.pop().unwrap_or_default();
    if reply::is_overtaken(&reply) {
        // Somebody else was faster.
        return Ok(());
    }
    reply::said(reply)?;
    count(&shared.counts.resets, 1);
    if shared.log().highest() == Epoch::ZERO {
        tracing::info!(log = shared.key, %id, "there was no invalidation log yet: it is made");
    } else {
        tracing::warn!(log = shared.key, %id, "the invalidation log was lost, and is made anew");
    }
    Ok(())
}
