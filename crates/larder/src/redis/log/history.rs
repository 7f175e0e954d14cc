//! The log as one who does not follow it as a cache does: all of it at once, to judge entries by; its two ends; and what
//! is appended from now on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ::redis::Value;

use super::reply;
use crate::{
    epoch::{
        DEFAULT_SLOTS, Epoch,
        shared::{LogOrder, Record},
    },
    error::{Error, Result},
    redis::{
        connection::{Command, CommandFailure, Connections},
        inspect::refused,
        server_findings::Findings,
    },
    scope::ScopeHash,
    shared_log::{
        contract::{LogEnds, LogEntry, LogError},
        record::Content,
    },
};

/// Records that are read at once, at most.
const PAGE: usize = 1_000;

/// Scopes that are read at once, about: a record has one, or a thousand.
const SCOPES: usize = 16_000;

/// The two ends of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogExtent {
    /// The oldest record that is still there.
    pub first: Option<Epoch>,
    /// The last ID that was given.
    pub last: Epoch,
    /// How many records there are.
    pub records: u64,
    /// Whether no server gives such an ID by itself: another program wrote it.
    pub is_forged: bool,
}

/// Whether a process that connects now would serve an entry, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing that covers it was invalidated since its computation began.
    Valid,
    /// Something that covers it was.
    Invalidated,
    /// It is older than the oldest record of the log: what was invalidated before that is known only to processes that
    /// have followed the log since then. They may serve it.
    OlderThanLog,
    /// Its epoch is above all that the log has reached: it may be of a log that was lost.
    AheadOfLog,
    /// There is no log. The first process that connects makes one, and nothing from before is valid.
    NoLog,
    /// It does not say that it is the entry of this key.
    OtherKey,
}

/// What a log says of the past.
pub struct History {
    order: LogOrder,
    extent: Option<LogExtent>,
    /// The oldest record, and whether it covers everything: then nothing older is in doubt.
    oldest: Option<(Epoch, bool)>,
    now_ms: u64,
    /// Milliseconds of IDs that no clock gave.
    ahead: HashSet<u64>,
    noted: HashMap<ScopeHash, Vec<(Epoch, u64)>>,
}

/// Something that stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// These scopes were invalidated.
    Invalidated {
        /// Since then.
        epoch: Epoch,
        /// The process that did it, by the number that it chose when it connected; zero for none in particular.
        sender: u64,
        /// What was invalidated.
        scopes: Vec<ScopeHash>,
    },
    /// A computation of a key has ended.
    Computed {
        /// The ID of the record.
        epoch: Epoch,
        /// The key.
        key: ScopeHash,
        /// Whether there is a value now.
        has_value: bool,
    },
    /// A process has begun to append.
    Joined {
        /// The ID of the record.
        epoch: Epoch,
        /// Its number.
        sender: u64,
    },
    /// A record that this release cannot read: it covers everything.
    Unreadable {
        /// The ID of the record.
        epoch: Epoch,
    },
    /// Records were lost, or were trimmed before they were read: everything may be invalidated.
    Gap {
        /// From where on the log is followed anew.
        epoch: Epoch,
    },
}

impl LogExtent {
    pub(in crate::redis) async fn read(
        connections: &Connections,
        findings: &Findings,
        log: &str,
    ) -> Result<Option<Self>> {
        let info = Command::new("XINFO").arg("STREAM").key(log);
        let replies = connections.call_many(vec![info, Command::new("XLEN").key(log)]).await;
        let [info, length] = <[_; 2]>::try_from(replies).map_err(|_| LogError::new("replies are missing"))?;
        let info = match info {
            // What says that there is none.
            Err(CommandFailure::Refused(error))
                if error.details().is_some_and(|text| text.contains("no such key")) =>
            {
                return Ok(None);
            }
            info => info.map_err(|failure| refused(findings, "XINFO STREAM", &failure))?,
        };
        let length = length.map_err(|failure| refused(findings, "XLEN", &failure))?;
        let Some(LogEnds { first, last, .. }) = reply::ends(info)? else { return Ok(None) };
        let records = if let Value::Int(records) = length { u64::try_from(records).unwrap_or(0) } else { 0 };
        Ok(Some(Self { first, last, records, is_forged: last.is_beyond_the_end() }))
    }
}

impl History {
    pub(in crate::redis) async fn read(
        connections: &Connections,
        findings: &Findings,
        log: &str,
        now_ms: u64,
        watched: &[ScopeHash],
    ) -> Result<Self> {
        let extent = LogExtent::read(connections, findings, log).await?;
        let order = LogOrder::new(DEFAULT_SLOTS);
        order.contact().set_server_time(now_ms);
        let watched = watched.iter().chain([&ScopeHash::ALL]);
        let noted =
            watched.flat_map(|&scope| [scope, scope.mark()]).map(|scope| (scope, Vec::new())).collect();
        let mut history = Self { order, extent, oldest: None, now_ms, ahead: HashSet::new(), noted };
        let Some(LogExtent { last, .. }) = extent else { return Ok(history) };
        // As a process that begins to follow it: from the end, and then back.
        history.order.move_to(last);
        history.order.lower_start_floor(last);
        let (mut below, mut count) = (last.to_string(), PAGE / 10);
        loop {
            let command = Command::new("XREVRANGE").key(log).arg(&below).arg("-").arg("COUNT").arg(count);
            let page = connections.call(&command).await;
            let page = reply::entries(page.map_err(|failure| refused(findings, "XREVRANGE", &failure))?)?;
            page.iter().for_each(|entry| history.take(entry));
            match page.last() {
                Some(oldest) if page.len() == count => below = format!("({}", oldest.epoch),
                _ => return Ok(history),
            }
            count = next_count(&page);
        }
    }

    /// Takes the next older record.
    fn take(&mut self, entry: &LogEntry) {
        let epoch = entry.epoch;
        if entry.content.as_ref().is_some_and(Content::has_id_of_its_own) {
            self.ahead.insert(epoch.milliseconds());
        }
        let (sender, scopes) = match &entry.content {
            Some(Content::Invalidation { sender, scopes, .. }) => (*sender, scopes.clone()),
            Some(Content::Wake { .. } | Content::Start { .. }) => (0, Vec::new()),
            None => (0, vec![ScopeHash::ALL]),
        };
        for scope in &scopes {
            if let Some(noted) = self.noted.get_mut(scope) {
                noted.push((epoch, sender));
            }
        }
        self.oldest = Some((epoch, scopes.contains(&ScopeHash::ALL)));
        self.order.read_back(&Record { epoch, own: None, scopes });
    }

    /// The two ends of the log; none if there is none.
    #[must_use]
    pub fn extent(&self) -> Option<LogExtent> {
        self.extent
    }

    /// The oldest epoch that entries can have of which it is known here whether they were invalidated; none without a log.
    #[must_use]
    pub fn reaches_back_to(&self) -> Option<Epoch> {
        let last = self.extent?.last;
        Some(
            self.oldest.map_or(
                last,
                |(oldest, covers_everything)| if covers_everything { Epoch::ZERO } else { oldest },
            ),
        )
    }

    /// When this was read, by the server's clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// When a record was appended, in milliseconds since 1970, if its ID tells: those behind one that was chosen by a process
    /// stay ahead of the clock until it has come so far.
    #[must_use]
    pub fn dated(&self, epoch: Epoch) -> Option<u64> {
        Some(epoch.milliseconds()).filter(|at| *at <= self.now_ms && !self.ahead.contains(at))
    }

    /// Whether a process that connects now would take this for the valid entry of a key. Says nothing of its TTL, nor
    /// whether its value is one of the type that is asked for.
    #[must_use]
    pub fn judge(&self, key: ScopeHash, scopes: &[ScopeHash], epoch: Epoch) -> Verdict {
        let Some(extent) = self.extent else { return Verdict::NoLog };
        let older = || match self.oldest {
            Some((oldest, covers_everything)) => epoch < oldest && !covers_everything,
            None => epoch < extent.last,
        };
        match () {
            () if !scopes.contains(&key) => Verdict::OtherKey,
            () if epoch > self.order.latest_possible() => Verdict::AheadOfLog,
            () if self.order.accepts(scopes, epoch) => Verdict::Valid,
            () if epoch > self.order.position() && epoch > self.order.latest_comparable() => {
                Verdict::AheadOfLog
            }
            () if older() => Verdict::OlderThanLog,
            () => Verdict::Invalidated,
        }
    }

    /// Whether a scope was invalidated since an epoch, as far as the log goes back.
    #[must_use]
    pub fn is_invalidated_since(&self, scope: ScopeHash, epoch: Epoch) -> bool {
        self.oldest.is_some_and(|(oldest, _)| epoch >= oldest) && !self.order.accepts(&[scope], epoch)
    }

    /// Whether something that covers an entry under these scopes was marked stale since an epoch, as far as the log goes back.
    #[must_use]
    pub fn is_marked_since(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        !self.order.unmarked(scopes, epoch)
    }

    /// When a watched scope was marked stale, and by which process: as [`invalidations_of`](Self::invalidations_of).
    #[must_use]
    pub fn marks_of(&self, scope: ScopeHash) -> &[(Epoch, u64)] {
        self.invalidations_of(scope.mark())
    }

    /// When a watched scope was invalidated, and by which process (zero for none in particular): the newest time first.
    #[must_use]
    pub fn invalidations_of(&self, scope: ScopeHash) -> &[(Epoch, u64)] {
        self.noted.get(&scope).map_or(&[], Vec::as_slice)
    }
}

/// How many records to read next, by how many scopes those of this page have: memory is to be bounded whatever they are.
fn next_count(page: &[LogEntry]) -> usize {
    let scopes = |entry: &LogEntry| match &entry.content {
        Some(Content::Invalidation { scopes, .. }) => scopes.len().max(1),
        _ => 1,
    };
    let all: usize = page.iter().map(scopes).sum();
    (SCOPES * page.len() / all.max(1)).clamp(PAGE / 100, PAGE)
}

/// What stands for a scope in a record that marks it stale.
#[must_use]
pub fn mark_of(scope: ScopeHash) -> ScopeHash {
    scope.mark()
}

/// Whether this stands for a scope that was marked stale, and not for one that was invalidated.
#[must_use]
pub fn is_mark(scope: ScopeHash) -> bool {
    scope.is_mark()
}

/// Reads what is appended to a log.
pub struct Follower {
    connections: Connections,
    findings: Arc<Findings>,
    log: String,
    position: Epoch,
    /// Whether there is a log.
    exists: bool,
}

impl Follower {
    pub(in crate::redis) async fn begin(
        connections: &Connections,
        findings: &Arc<Findings>,
        log: String,
    ) -> Result<Self> {
        let extent = LogExtent::read(connections, findings, &log).await?;
        Ok(Self {
            connections: connections.clone(),
            findings: findings.clone(),
            log,
            position: extent.map_or(Epoch::ZERO, |extent| extent.last),
            exists: extent.is_some(),
        })
    }

    /// Whether there was a log when it was read last.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// What was appended since the last call, oldest first: up to 1,000 records. Asks once, and does not wait for more.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer. What was not read is read by the next call.
    pub async fn next(&mut self) -> Result<Vec<LogEvent>> {
        let after = format!("({}", self.position);
        let command = Command::new("XRANGE").key(&self.log).arg(after).arg("+").arg("COUNT").arg(PAGE);
        let page = self.connections.call(&command).await;
        let page = page.map_err(|failure| refused(&self.findings, "XRANGE", &failure))?;
        let page = reply::entries(page).map_err(Error::from)?;
        // Looked at after that read, as the log's reader does: nothing was trimmed that it passed over.
        let extent = LogExtent::read(&self.connections, &self.findings, &self.log).await?;
        let had_a_log = std::mem::replace(&mut self.exists, extent.is_some());
        let last = extent.map_or(Epoch::ZERO, |extent| extent.last);
        let first = extent.and_then(|extent| extent.first);
        let is_gap = had_a_log
            && (last < self.position
                || first.is_none_or(|first| first > self.position) && last > self.position);
        if is_gap {
            self.position = last;
            return Ok(vec![LogEvent::Gap { epoch: last }]);
        }
        if let Some(newest) = page.last() {
            self.position = newest.epoch;
        }
        Ok(page.into_iter().map(event).collect())
    }
}

fn event(LogEntry { epoch, content }: LogEntry) -> LogEvent {
    match content {
        Some(Content::Invalidation { sender, scopes, .. }) => LogEvent::Invalidated { epoch, sender, scopes },
        Some(Content::Wake { key, filled }) => LogEvent::Computed { epoch, key, has_value: filled },
        Some(Content::Start { sender }) => LogEvent::Joined { epoch, sender },
        None => LogEvent::Unreadable { epoch },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scope;

    #[test]
    fn of_records_with_many_scopes_fewer_are_read_at_once() {
        let page = |scopes: u64, records| {
            let scopes: Vec<_> = (0..scopes).map(|scope| Scope::key(scope.to_string()).hash()).collect();
            let content = Some(Content::Invalidation { sender: 1, attempt: 1, scopes });
            next_count(&vec![LogEntry { epoch: Epoch::ZERO, content }; records])
        };
        assert_eq!([page(1, 100), page(32, 100), page(1_024, 1_000)], [PAGE, 500, 15]);
    }
}
