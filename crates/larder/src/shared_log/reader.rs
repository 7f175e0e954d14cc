//! The log's reader: read, check that nothing is missing, apply.

use std::{
    convert::Infallible,
    pin::pin,
    sync::Arc,
    time::{self, Duration},
};

use tokio::time::{sleep_until, timeout};

use super::{
    contract::{LogConnection, LogEntry, LogError, LogRead, LogReply, Purpose},
    pace::{Pace, Volume},
    record::Content,
    report::report,
    start::{self, KnownLog},
    state::{Cause, Shared, count},
};
use crate::{
    backoff::Backoff,
    epoch::{
        Epoch,
        shared::{Instant, Record},
    },
    link::Operation,
    log_throttle::LogThrottle,
    mutant::{self, Rule},
    scope::ScopeHash,
};

/// How many records one read takes: of 8 KiB each, if they carry as much as they may.
const LEAST_AT_ONCE: usize = 1;
const FIRST_AT_ONCE: usize = 64;
const MOST_AT_ONCE: usize = 1_000;

/// For how long a process that has lowered the IDs of the log lets them rise again.
const LULL: Duration = Duration::from_secs(3_600);

pub(super) struct Reader {
    shared: Arc<Shared>,
    backoff: Backoff,
    pace: Pace,
    /// How many records one read takes.
    volume: Volume,
    /// The newest record that was read.
    newest: Option<LogEntry>,
    /// The backward read goes on below it, from connection to connection. It ends with every new start.
    backward: Option<Epoch>,
    /// Where the last new start was made, until the log was read from there.
    unread: Option<Epoch>,
    contact: Reported,
    /// When this process last made the log anew below IDs that were too high to follow.
    lowered: Option<time::Instant>,
    /// A newer release may append records by the thousand that this one cannot read.
    unreadable: LogThrottle,
}

/// What was logged of the contact with the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    There,
    /// Nothing yet: a connection that was cut is no news if the next one works.
    Cut,
    /// Nothing of it, but that its server is unavailable, as the connections for commands found out.
    Unavailable,
    Lost,
}

/// Why a connection was given up.
enum SessionEnd {
    /// The server may not be the same any longer.
    Recheck,
    LogError(LogError),
}

impl From<LogError> for SessionEnd {
    fn from(failure: LogError) -> Self {
        Self::LogError(failure)
    }
}

/// What is true of one connection only.
struct Session {
    link: Box<dyn LogConnection>,
    /// Whether something was read already.
    has_read: bool,
    /// What was appended under the identity of an earlier one is out of doubt.
    owns: bool,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            backoff: Backoff::new(),
            pace: Pace::new(),
            volume: Volume::new(LEAST_AT_ONCE, FIRST_AT_ONCE, MOST_AT_ONCE),
            newest: None,
            backward: None,
            unread: None,
            contact: Reported::There,
            lowered: None,
            unreadable: LogThrottle::new(),
        }
    }

    /// Follows the log, on one connection after the other.
    pub(super) async fn run(&mut self) -> Infallible {
        let shared = self.shared.clone();
        loop {
            let Err(end) = self.session().await;
            if let SessionEnd::LogError(failure) = end {
                self.lost(failure);
            }
            tokio::select! {
                () = self.backoff.wait() => {}
                // The sender found the server, for instance.
                () = recheck(&shared, time::Instant::now()) => {}
            }
        }
    }

    fn lost(&mut self, failure: LogError) {
        if self.shared.set_followed(false) {
            self.shared.tell_link(false);
        }
        let failure = failure.completed(&*self.shared.observer);
        self.shared.refused(Operation::Follow, &failure);
        // What is refused was warned of, or will be, and so was a server that is gone.
        let is_told = failure.mend().is_some()
            || failure.connection().is_some() && self.shared.observer.is_reported_down();
        self.contact = match self.contact {
            Reported::There => Reported::Cut,
            Reported::Lost => Reported::Lost,
            Reported::Cut | Reported::Unavailable if is_told => Reported::Unavailable,
            Reported::Cut | Reported::Unavailable => {
                let log = &self.shared.name;
                report(|| tracing::warn!(log, reason = %failure, "lost contact with the invalidation log"));
                Reported::Lost
            }
        };
        self.shared.starts.send_modify(|starts| {
            if !starts.has_read {
                starts.failure = Some(failure);
            }
        });
    }

    fn found(&mut self) {
        if !self.shared.set_followed(true) {
            self.shared.found.notify_waiters();
            self.shared.tell_link(true);
        }
        self.backoff.reset();
        if std::mem::replace(&mut self.contact, Reported::There) == Reported::Lost {
            let log = &self.shared.name;
            report(|| tracing::info!(log, "in contact with the invalidation log again"));
        }
    }

    async fn session(&mut self) -> Result<Infallible, SessionEnd> {
        let shared = self.shared.clone();
        // What was doubted until now is looked at now.
        pin!(shared.recheck.notified()).enable();
        let link = shared.store.connect(Purpose::Read).await?;
        if let Some(objection) = link.objection() {
            // For what else may be missing to be named with it.
            _ = objection.clone().completed(&*shared.observer);
        }
        shared.renew_identity(link.server());
        shared.contact().set_server_time(link.server().time_ms);
        let now = time::Instant::now();
        let mut session = Session { link, has_read: false, owns: false };
        if !self.is_known(&mut session).await? {
            let known = shared.starts.borrow().history.is_some();
            self.start_anew(&mut session, if known { Cause::Replica } else { Cause::First }).await?;
        }
        loop {
            let pause = tokio::select! {
                biased;
                () = recheck(&shared, now) => return Err(SessionEnd::Recheck),
                pause = self.read(&mut session) => pause?,
            };
            if !pause.is_zero() {
                self.rest(pause).await;
            }
        }
    }

    /// Pauses, but not while callers wait for an echo: their calls would take as long. Reads that end a pause are as
    /// many as appends at most, however many processes there are.
    async fn rest(&self, pause: Duration) {
        let awaited = async {
            self.shared.awaited.notified().await;
            // What was told of may have been read back since.
            while self.shared.log().outbox().len() == 0 {
                self.shared.awaited.notified().await;
            }
        };
        _ = timeout(pause, awaited).await;
    }

    /// Whether this is the server on which the last new start was made. One that does not tell has to have what was read
    /// last.
    async fn is_known(&self, session: &mut Session) -> Result<bool, LogError> {
        let history = &session.link.server().history;
        if !self.shared.admits(history) {
            return Ok(false);
        }
        if !history.is_empty() {
            return Ok(true);
        }
        let highest = self.shared.log().highest();
        start::continues(&self.shared, &mut *session.link, highest, self.newest.as_ref()).await
    }

    async fn start_anew(&mut self, session: &mut Session, cause: Cause) -> Result<(), LogError> {
        // What is read back belongs to the start before.
        (self.backward, self.unread) = (None, None);
        let known = KnownLog {
            newest: self.newest.as_ref(),
            yields: self.lowered.is_some_and(|then| then.elapsed() < LULL),
        };
        let started = start::start_anew(&self.shared, &mut *session.link, cause, known).await?;
        (self.backward, self.unread) = (Some(started.tip.next()), Some(started.tip));
        if started.lowered {
            self.lowered = Some(time::Instant::now());
        }
        self.newest = started.newest;
        self.found();
        Ok(())
    }

    /// One read. Returns how long to pause before the next one.
    async fn read(&mut self, session: &mut Session) -> Result<Duration, LogError> {
        let position = self.shared.log().position();
        let last_named = self.shared.log().outbox().last_named();
        let sent = Instant::now();
        let (count, asked_older) = (self.volume.size(), self.backward.is_some());
        let reply = match self.ask(session, position).await {
            Ok(reply) => reply,
            Err(failure) => {
                self.volume.failed();
                return Err(failure);
            }
        };
        if reply.ends.as_ref().is_some_and(|ends| self.shared.log().is_leap(ends.last)) {
            self.start_anew(session, Cause::Leap).await?;
            return Ok(Duration::ZERO);
        }
        if let Some(cause) = self.missing(position, &reply) {
            self.start_anew(session, cause).await?;
            return Ok(Duration::ZERO);
        }
        // Not before: where nothing can be read, what was appended is never read back, and would go out once more with
        // every connection.
        if !std::mem::replace(&mut session.owns, true) {
            self.shared.log().outbox().disown();
        }
        let records = reply.news.len();
        let reached_tip = records < count;
        if records > 0 {
            self.apply(&reply.news);
        }
        if reached_tip {
            let proven = if mutant::is(Rule::ContactProvenAtReply) { Instant::now() } else { sent };
            self.shared.contact().prove(proven);
            self.shared.log().outbox().append_unread(last_named);
        }
        self.shared.accepted(Operation::Follow);
        self.found();
        self.has_read();
        if asked_older {
            self.read_back(&reply.older, count);
        }
        let pause = self.pace.after(records, time::Instant::now());
        // Who is behind does not pause.
        Ok(if reached_tip { pause.min(self.shared.longest_read()) } else { Duration::ZERO })
    }

    /// What was trimmed or lost since `position`, if anything was. The ends were looked at after the news were read.
    fn missing(&self, position: Epoch, reply: &LogReply) -> Option<Cause> {
        match &reply.ends {
            _ if mutant::is(Rule::NoGapCheck) => None,
            None => (!mutant::is(Rule::LostLogTakenForQuiet)).then_some(Cause::Loss),
            Some(ends) if ends.last < self.shared.log().highest() => Some(Cause::Loss),
            // With nothing retained, all that came after the position is gone.
            Some(ends) if ends.first.unwrap_or(ends.last) > position => Some(Cause::Gap),
            // Its end was lost, and who has not noticed went on above it.
            Some(_) => reply.is_set_back.then_some(Cause::Loss),
        }
    }

    async fn ask(&mut self, session: &mut Session, position: Epoch) -> Result<LogReply, LogError> {
        let now = time::Instant::now();
        let read = LogRead {
            after: position,
            known: self.newest.clone(),
            most: self.volume.size(),
            // While older records are read as well, there is no waiting for newer ones. Nor is there at first: a
            // lost log looks like a quiet one until the read ends, and those who cannot append to it would break
            // off one read after the other.
            wait: (session.has_read && self.backward.is_none()).then(|| self.shared.longest_read()),
            older_than: self.backward,
        };
        let limit = self.shared.slack();
        let reply = session.link.read(&read, self.volume.patience(limit)).await?;
        session.has_read = true;
        let is_full = |entries: &[LogEntry]| entries.len() == read.most;
        let full = is_full(&reply.news) || is_full(&reply.older);
        self.volume.succeeded(full, now.elapsed().saturating_sub(read.wait.unwrap_or_default()), limit);
        if let Some(time_ms) = reply.time_ms {
            self.shared.contact().set_server_time(time_ms);
        }
        Ok(reply)
    }

    /// What was appended since the last new start is applied, and entries of the server can be judged.
    fn has_read(&mut self) {
        let Some(tip) = self.unread.take() else { return };
        self.shared.log().lower_start_floor(tip);
        self.shared.starts.send_if_modified(|starts| {
            starts.failure = None;
            !std::mem::replace(&mut starts.has_read, true)
        });
    }

    /// Applies the news, in their order.
    fn apply(&mut self, news: &[LogEntry]) {
        let records: Vec<_> = news.iter().map(|entry| self.record(entry)).collect();
        let to = records.last().map_or(Epoch::ZERO, |record| record.epoch);
        self.shared.epochs.follow(&records, to);
        for (Record { epoch, scopes, .. }, entry) in
            records.iter().zip(news).filter(|(record, _)| record.is_news())
        {
            let sender = match &entry.content {
                Some(Content::Invalidation { sender, .. }) => *sender,
                _ => 0,
            };
            self.shared.watchers().tell(|watcher| watcher.invalidated(scopes, *epoch, sender));
        }
        self.newest = news.last().cloned();
        count(&self.shared.counts.applied, records.len());
        self.shared.moved.notify_waiters();
        for entry in news {
            if let Some(Content::Wake { key, filled }) = entry.content {
                self.shared.tell_of_wake(key, filled);
            }
        }
    }

    fn read_back(&mut self, older: &[LogEntry], count: usize) {
        for entry in older {
            self.shared.log().read_back(&self.record(entry));
        }
        self.backward = older.last().map(|entry| entry.epoch).filter(|_| older.len() == count);
        if self.backward.is_none() {
            self.shared.log().set_read_back();
        }
    }

    /// What an entry of the log invalidates. One that makes no sense covers everything: it may have.
    fn record(&self, entry: &LogEntry) -> Record {
        let epoch = entry.epoch;
        match &entry.content {
            Some(Content::Invalidation { sender, attempt, scopes }) => {
                // On another connection, the attempt alone may be a clone's: two machines with one memory.
                let is_own = *sender == self.shared.identity()
                    || self.shared.log().outbox().is_at(*attempt, scopes, epoch);
                let own = is_own.then_some(*attempt);
                Record { epoch, own, scopes: scopes.clone() }
            }
            Some(Content::Wake { .. } | Content::Start { .. }) => {
                Record { epoch, own: None, scopes: Vec::new() }
            }
            None => {
                count(&self.shared.counts.malformed, 1);
                let log = &self.shared.name;
                if let Some(count) = self.unreadable.due() {
                    report(|| {
                        tracing::warn!(
                            log,
                            %epoch,
                            count,
                            "the invalidation log has a record that this release cannot read: everything cached is \
                             invalid (said once a minute at most)"
                        );
                    });
                }
                Record { epoch, own: None, scopes: vec![ScopeHash::ALL] }
            }
        }
    }
}

/// Returns when it is doubted that this is the right server; not so soon after it was found to be that the reader would
/// do nothing else.
async fn recheck(shared: &Shared, found: time::Instant) {
    const LULL: Duration = Duration::from_millis(250);
    sleep_until((found + LULL).into()).await;
    shared.recheck.notified().await;
}
