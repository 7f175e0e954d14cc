//! A new start, and making the log anew.

use std::sync::Arc;

use ::redis::{Value, pipe};

use super::{
    connect::{Link, Trouble},
    record::{Content, FIELD},
    reply::{self, Ends},
    sender::MOST_RECORDS,
    shared::{Cause, Shared, count},
};
use crate::epoch::{Epoch, Instant, RESET_MARGIN};

/// Replaces a log whose last ID is above `ARGV[1]` milliseconds by one with a single record, `ARGV[3]` in field
/// `ARGV[2]` under the ID `ARGV[4]`: in one step, so that nothing is lost that was appended to a log that is new
/// already.
const LOWER: &str = r"
    local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info - 1, 2 do
      if info[i] == 'last-generated-id'
          and tonumber(string.match(info[i + 1], '^%d+')) > tonumber(ARGV[1]) then
        redis.call('UNLINK', KEYS[1])
        redis.call('XADD', KEYS[1], ARGV[4], ARGV[2], ARGV[3])
        return 1
      end
    end
    return 0";

/// A log that is lost again each time it was made anew.
const MOST_RESETS: usize = 3;

/// A new start that was made.
pub(super) struct Started {
    /// The epoch from which on, downwards, the log is to be read backwards.
    pub(super) below: Epoch,
    /// Whether the IDs of the log were lowered for it.
    pub(super) lowered: bool,
}

/// Begins anew, from the tip of the log as it is now: whatever was known before, and whatever is in memory, cannot
/// be proved any longer. Makes the log anew if it is gone, or below what was seen.
///
/// A log that leapt to IDs far above all that this process has seen is made anew below them; but not if it `yields`:
/// then other processes go on up there, and IDs that rise are as good as any.
pub(super) async fn start_anew(
    shared: &Shared,
    link: &mut Link,
    cause: Cause,
    yields: bool,
) -> Result<Started, Trouble> {
    if cause != Cause::First {
        tracing::warn!(log = shared.key, %cause, "following the invalidation log anew: everything cached is invalid");
    }
    let mut lowered = false;
    for _ in 0..MOST_RESETS {
        let sent = Instant::now();
        let (ends, time_ms) = look(shared, link).await?;
        shared.contact().set_server_time(time_ms);
        let highest = shared.log().highest();
        let id = Epoch::after(highest, time_ms, RESET_MARGIN);
        match ends {
            Some(Ends { last, .. })
                if last.is_beyond_the_end() || (shared.log().is_leap(last) && !yields) =>
            {
                count(&shared.counts.malformed, 1);
                lowered |= lower(shared, link, last, id).await?;
            }
            Some(Ends { last: tip, .. }) if tip >= highest => {
                shared.epochs.start_anew(tip);
                complete(shared, link, cause);
                shared.contact().prove(sent);
                return Ok(Started { below: tip.next(), lowered });
            }
            _ => reset(shared, link, id).await?,
        }
    }
    Err(Trouble::new("the log is lost as soon as it was made"))
}

/// Makes a log anew whose IDs are too high to follow, below them; tells whether it did.
///
/// Nothing of such a log was applied. What its records cover is covered by the new start.
async fn lower(shared: &Shared, link: &mut Link, last: Epoch, id: Option<Epoch>) -> Result<bool, Trouble> {
    let id = id.ok_or_else(beyond)?;
    let mut commands = pipe();
    commands.cmd("EVAL").arg(LOWER).arg(1).arg(&shared.key).arg(shared.log().longest_leap().milliseconds());
    commands.arg(FIELD).arg(Content::reset().encode()).arg(id.to_string());
    let reply = link.ask(&commands, shared.deadline).await?.pop().unwrap_or_default();
    let reply = reply::said(reply).map_err(|trouble| {
        let key = &shared.key;
        Trouble::new(format_args!(
            "the log has an ID that no server gives, and cannot be made anew ({trouble}); delete the key {key}"
        ))
    })?;
    if reply != Value::Int(1) {
        // Another process was faster.
        return Ok(false);
    }
    count(&shared.counts.resets, 1);
    tracing::warn!(
        log = shared.key,
        %last,
        %id,
        "the invalidation log had an ID far above its server's clock: another program wrote it; the log is made anew"
    );
    Ok(true)
}

fn beyond() -> Trouble {
    Trouble::new("the server's clock is beyond what an epoch can hold")
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
    let id = id.ok_or_else(beyond)?;
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
