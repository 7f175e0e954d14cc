//! Shared entries that this process cannot read: logged once for each reason and type, and again each minute while it
//! goes on.

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use crate::{link::Rejection, sync::plain::lock, wire::Rejected};

/// How long after a warning the next one of the same comes.
pub(crate) const AGAIN: Duration = Duration::from_secs(60);

/// What has not happened for so long is over.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// While two releases run side by side, each finds entries of the other one: that is logged only if it lasts.
const ROLLOUT: Duration = Duration::from_secs(15 * 60);

/// There are no more than types in a program, times reasons; and not more than these.
const MOST: usize = 1_000;

/// What is rejected at the moment.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<Vec<RejectionMatter>>);

#[derive(Debug)]
struct RejectionMatter {
    reason: Rejected,
    value_type: &'static str,
    since: SystemTime,
    first: Instant,
    last: Instant,
    warned: Option<Instant>,
    count: u64,
    /// Rejected so often since the last warning.
    unreported: u64,
}

impl Rejections {
    /// An entry was rejected that should have held a value of this type.
    pub(crate) fn note(&self, reason: Rejected, value_type: &'static str) {
        let Some(count) = self.count(reason, value_type, Instant::now()) else { return };
        // Not under the lock: a subscriber may do anything.
        crate::panic_guard::report!(
            warn,
            %reason,
            value_type,
            mend = mend(reason),
            count,
            "shared entries cannot be read here, and are computed anew (once for each reason and type, and again each \
             minute while it goes on; counted as `shared_rejected`)"
        );
    }

    /// How often it was since the last warning, if there is to be one.
    fn count(&self, reason: Rejected, value_type: &'static str, now: Instant) -> Option<u64> {
        let mut matters = lock(&self.0);
        let is_it = |matter: &RejectionMatter| matter.reason == reason && matter.value_type == value_type;
        let index = match matters.iter().position(is_it) {
            Some(index) => index,
            None if matters.len() >= MOST => return None,
            None => {
                matters.push(RejectionMatter {
                    reason,
                    value_type,
                    since: SystemTime::now(),
                    first: now,
                    last: now,
                    warned: None,
                    count: 0,
                    unreported: 0,
                });
                matters.len() - 1
            }
        };
        let matter = &mut matters[index];
        if now.duration_since(matter.last) > PAUSE {
            (matter.first, matter.since, matter.count) = (now, SystemTime::now(), 0);
        }
        matter.last = now;
        matter.count += 1;
        matter.unreported += 1;
        let is_rollout = reason == Rejected::Shape && now.duration_since(matter.first) < ROLLOUT;
        let is_told = matter.warned.is_some_and(|warned| now.duration_since(warned) < AGAIN);
        if is_rollout || is_told {
            return None;
        }
        matter.warned = Some(now);
        Some(std::mem::take(&mut matter.unreported))
    }

    /// What was rejected within the last minutes.
    pub(crate) fn list(&self) -> Vec<Rejection> {
        let now = Instant::now();
        let matters = lock(&self.0);
        let current = matters.iter().filter(|matter| now.duration_since(matter.last) <= PAUSE);
        current
            .map(|matter| Rejection {
                reason: matter.reason.name(),
                value_type: matter.value_type,
                mend: mend(matter.reason),
                since: matter.since,
                count: matter.count,
            })
            .collect()
    }
}

/// What mends it.
fn mend(reason: Rejected) -> &'static str {
    match reason {
        Rejected::Magic => "give larder a prefix of its own: another program writes under these keys",
        Rejected::Version => "let all processes run the same release of larder",
        Rejected::Sealed => {
            "give this process the keys that the others seal with: the feature `seal`, and `seal` of the cache's \
             builder, or LARDER_SEAL_KEYS for Redis"
        }
        Rejected::Unsealed => {
            "let all processes seal that write under this prefix; if they all do, another program writes there: find out \
             which one, by the server's ACL LOG and CLIENT LIST"
        }
        Rejected::UnknownKey => {
            "give all processes all keys that are in use: in LARDER_SEAL_KEYS behind the first one, or in the keyring's `reads`"
        }
        Rejected::NotAuthentic => {
            "find out what writes there besides larder: an entry was moved to another key or another prefix, or its \
             bytes were changed; or give each environment keys of its own, if they were copied from another one"
        }
        Rejected::Codec(3) => {
            "build this process with larder's feature `bincode`, or let the others write with another codec"
        }
        Rejected::Codec(4) => {
            "build this process with larder's feature `postcard`, or let the others write with another codec"
        }
        Rejected::Codec(_) => {
            "let all processes write with one codec; in Redis a cache may read another one too, by \
             `RedisCacheBuilder::also_reads`"
        }
        Rejected::Compression => {
            "build this process with the feature of the compression that the others write with (zstd), or let them write \
             with another one"
        }
        Rejected::TooLarge => {
            "give all processes the same limits (in Redis: RedisCacheBuilder::largest_value and largest_raw_value)"
        }
        Rejected::Future => {
            "the entry is of a log that is gone, and ends by itself; if it goes on, find out what else writes to the log (in \
             Redis: `larder doctor`)"
        }
        Rejected::Shape => {
            "let all processes run one release; where two have to share keys, tell their values apart by `schema`"
        }
        Rejected::Untyped => {
            "write in JSON what the type itself writes, all fields and no other: `larder get KEY --json` shows it of an entry \
             that a process has stored; `larder warm --replace` replaces what it has stored before"
        }
        Rejected::Truncated | Rejected::Checksum | Rejected::Header | Rejected::Decompress => {
            "find out what changes the bytes on their way: a proxy, or another program that writes under these keys"
        }
        Rejected::Trailing | Rejected::TooDeep | Rejected::Decode | Rejected::Panicked => {
            "wait until all processes run one release; if it stays, look for a `Deserialize` that depends on more than \
             its bytes, and for features of a dependency that only one build has"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn once_and_again_each_minute_with_a_count() {
        let (rejections, begin) = (Rejections::default(), Instant::now());
        let count = |after| rejections.count(Rejected::Magic, "u64", begin + after);
        assert_eq!(count(Duration::ZERO), Some(1));
        assert!((1..50).all(|second| count(Duration::from_secs(second)).is_none()));
        assert_eq!(count(MINUTE), Some(50));
        assert_eq!(rejections.count(Rejected::Magic, "u32", begin), Some(1), "of another type");
        assert_eq!(count(MINUTE + PAUSE + MINUTE), Some(1), "it is over, and begins again");
        assert_eq!(rejections.list().iter().map(|rejection| rejection.count).sum::<u64>(), 2);
    }

    #[test]
    fn a_rollout_is_no_warning_unless_it_lasts() {
        let (rejections, begin) = (Rejections::default(), Instant::now());
        let count = |after| rejections.count(Rejected::Shape, "u64", begin + after);
        assert!((0..15).all(|minutes| count(MINUTE * minutes).is_none()));
        assert_eq!(count(ROLLOUT), Some(16));
    }
}
