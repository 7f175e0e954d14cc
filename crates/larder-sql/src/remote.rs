//! What asks the database, for as long as that makes sense.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use larder::{
    Core, Entry, Link, Lookup, Operation, Result, ValueType,
    internal::shared::{
        Backoff, FailureCount, FollowedLog, Leases, Message, RecentTimeout, SharedEntries, StoreOutcome,
        abandonable, contained,
    },
};

use tokio::{runtime::Handle, sync::Notify};

use crate::{
    database::{Database, Row, milliseconds, tidy},
    epochs::column,
    log::PendingCommits,
    row_keys::Places,
    statement_failure::{NotDone, is_busy, mend},
    statement_size::{self, ReadSize},
    tables::Tables,
};

/// Failures in a row after which callers are refused without being tried.
const FAILURES: u32 = 5;

/// The first pause between two looks whether the database is back, and the longest.
const PROBE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What the clones of a cache share, and a cache in front of it too.
pub(crate) struct Remote {
    this: Weak<Self>,
    database: Arc<dyn Database>,
    address: String,
    log: FollowedLog,
    entries: SharedEntries,
    leases: Leases,
    failures: FailureCount,
    recent_timeout: RecentTimeout,
    tables: Tables,
    places: Places,
    deadline: Duration,
    read_size: ReadSize,
    pending_commits: Arc<PendingCommits>,
    /// Where the cache was made: callers' runtimes may end before it does.
    runtime: Handle,
    /// There is more to tidy up than one pass has done.
    untidy: Arc<Notify>,
}

impl Remote {
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn new(
        (database, address): (Arc<dyn Database>, String),
        (log, pending_commits): (FollowedLog, Arc<PendingCommits>),
        (entries, leases): (SharedEntries, Leases),
        (tables, places, deadline): (Tables, Places, Duration),
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            database,
            address,
            log,
            entries,
            leases,
            failures: FailureCount::new(FAILURES),
            recent_timeout: RecentTimeout::default(),
            tables,
            places,
            deadline,
            read_size: ReadSize::default(),
            pending_commits,
            runtime: Handle::current(),
            untidy: Arc::default(),
        })
    }

    pub(crate) fn log(&self) -> &FollowedLog {
        &self.log
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn link(&self) -> Link {
        self.log.link(&self.address, self.failures.admits(), &self.entries)
    }

    /// Whether it is worth waiting for the database at all.
    pub(crate) fn is_within_reach(&self) -> bool {
        Handle::try_current().is_ok() && self.log.is_heard() && self.failures.admits()
    }

    /// Transactions that have an invalidation in them.
    pub(crate) fn pending_commits(&self) -> &PendingCommits {
        &self.pending_commits
    }

    /// Tidies up, or begins to: what is left is done in the background.
    pub(crate) async fn tidy(&self) -> sqlx::Result<()> {
        if tidy(&*self.database).await? {
            self.untidy.notify_one();
        }
        Ok(())
    }

    /// Notified when there is more to tidy up.
    pub(crate) fn untidy(&self) -> Arc<Notify> {
        self.untidy.clone()
    }

    /// Asks the database, if it may be asked, within the deadline.
    pub(crate) async fn ask<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, NotDone> {
        if !self.failures.admits() || Handle::try_current().is_err() {
            return Err(NotDone::unanswered(StoreOutcome::Unreachable));
        }
        let began = Instant::now();
        // A caller that goes away before the deadline has waited in vain too.
        let abandoned = || {
            if !self.failures.has_answered_since(began) {
                self.count_failure(true);
            }
        };
        let mut request = pin!(abandonable(self.deadline, call, abandoned));
        let answer = tokio::time::timeout(self.deadline, request.as_mut()).await;
        request.settle();
        let (failed, timed_out) = match answer {
            Ok(Ok(done)) => {
                self.failures.succeeded();
                self.recent_timeout.clear();
                self.log.accepted(operation);
                return Ok(done);
            }
            // It answered, and a statement is not what mends itself by waiting.
            Ok(Err(error)) if error.as_database_error().is_some_and(|said| !is_busy(said)) => {
                self.note_refusal(operation, &error);
                return Err(NotDone::failed(StoreOutcome::Refused, error));
            }
            Ok(Err(error)) => {
                contained(|| tracing::debug!(%error, "the database cannot be asked"));
                let timed_out = matches!(error, sqlx::Error::PoolTimedOut);
                (NotDone::failed(StoreOutcome::Unreachable, error), timed_out)
            }
            // It waited for a connection: there are more calls than the database answers in that time.
            Err(_) if self.failures.has_answered_since(began) => {
                return Err(NotDone::unanswered(StoreOutcome::TimedOut));
            }
            Err(_) => (NotDone::unanswered(StoreOutcome::TimedOut), true),
        };
        self.count_failure(timed_out);
        Err(failed)
    }

    fn count_failure(&self, timed_out: bool) {
        if timed_out {
            self.recent_timeout.note();
        }
        if self.failures.failed() {
            contained(|| tracing::warn!(database = self.address, "the cache's database is unavailable"));
            self.probe_until_it_answers();
        }
    }

    /// People are told of what stays refused until they mend it.
    fn note_refusal(&self, operation: Operation, error: &sqlx::Error) {
        let Some(said) = error.as_database_error() else { return };
        match mend(said) {
            Some(mend) => self.log.refused(operation, said.message(), mend),
            None => contained(
                || tracing::debug!(%error, %operation, "the database refuses a statement of the cache"),
            ),
        }
    }

    /// Looks whether the database is back, in the background, until it is.
    fn probe_until_it_answers(&self) {
        let remote = self.this.clone();
        self.runtime.spawn(async move {
            let mut backoff = Backoff::between(PROBE.0, PROBE.1);
            loop {
                backoff.wait().await;
                let Some(remote) = remote.upgrade() else { return };
                if remote.probe().await {
                    return;
                }
            }
        });
    }

    /// Whether the database answers; if so, callers are let through.
    async fn probe(&self) -> bool {
        let answers = self.database.probe().await.is_ok();
        if answers {
            self.failures.succeeded();
            self.recent_timeout.clear();
            contained(|| tracing::info!(database = self.address, "the cache's database is available again"));
        }
        answers
    }

    pub(crate) async fn read(&self, core: &Core, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let mut entries = Vec::with_capacity(keys.len());
        while let Some(left) = keys.get(entries.len()..).filter(|left| !left.is_empty()) {
            let piece = &left[..left.len().min(self.read_size.get())];
            let places: Vec<_> = piece.iter().map(|at| self.places.entry(at.key)).collect();
            let began = Instant::now();
            let messages = self.ask(Operation::Read, self.database.read(&places)).await;
            let took = began.elapsed();
            self.entries.read_took(core, took);
            let messages = match messages {
                Ok(messages) => {
                    self.read_size.took(piece.len(), took, self.deadline);
                    messages
                }
                Err(failed) => {
                    if matches!(failed.outcome, StoreOutcome::TimedOut) {
                        self.read_size.shrink(piece.len());
                    }
                    // What came is kept, and the rest is not tried: that would take as long again.
                    let left = keys.len() - entries.len();
                    self.count_failed_reads(core, of, left, failed.outcome);
                    entries.resize(keys.len(), None);
                    break;
                }
            };
            for (&at, message) in piece.iter().zip(messages) {
                entries.push(self.entries.receive(core, at, of, message).await);
            }
        }
        entries
    }

    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let mut outcome = Ok(());
        for piece in entries.chunks(statement_size::ENTRIES) {
            outcome = outcome.and(self.write_piece(core, piece).await);
        }
        outcome
    }

    async fn write_piece(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let patience = Instant::now() + self.deadline;
        let within_reach = || self.is_within_reach() && !self.recent_timeout.is_recent();
        let (messages, outcome) = self.entries.messages(core, entries, patience, &within_reach).await;
        if messages.is_empty() {
            return outcome;
        }
        let mut failed = None;
        for messages in statement_size::by_bytes(&messages, |message| message.bytes.len()) {
            // Once one came to nothing the others are not tried: they would only add their deadlines to that.
            let outcomes = match failed {
                None => self.write_messages(messages).await,
                Some(failed) => Err(failed),
            };
            failed = outcomes.as_ref().err().copied();
            for (index, message) in messages.iter().enumerate() {
                let outcome = match &outcomes {
                    Ok(stored) if stored.get(index) == Some(&true) => StoreOutcome::Yes,
                    Ok(_) => StoreOutcome::Later,
                    Err(failed) => *failed,
                };
                self.entries.count(core, message, outcome);
            }
        }
        outcome
    }

    /// Writes them in one statement, and says of each whether it was stored.
    async fn write_messages(&self, messages: &[Message]) -> Result<Vec<bool>, StoreOutcome> {
        let rows: Vec<_> = messages.iter().map(|message| self.row(message)).collect();
        let latest = column(self.log.latest_comparable());
        let stored = self.ask(Operation::Store, self.database.write(&rows, latest)).await;
        stored.map_err(|failed| failed.outcome)
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    pub(crate) fn database(&self) -> &dyn Database {
        &*self.database
    }

    /// The entry that a message holds, if it is valid; counted either way.
    pub(crate) async fn receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Option<Vec<u8>>,
    ) -> Option<Entry> {
        self.entries.receive(core, at, of, message).await
    }

    /// Entries were not read because of this.
    pub(crate) fn count_failed_reads(&self, core: &Core, of: ValueType, count: usize, failed: StoreOutcome) {
        self.entries.count_failed_reads(core, of, count, failed);
    }

    /// Whether a caller has waited in vain just now.
    pub(crate) fn has_just_timed_out(&self) -> bool {
        self.recent_timeout.is_recent()
    }

    pub(crate) async fn count(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
    ) -> Result<Option<i64>, NotDone> {
        self.ask(Operation::Count, self.database.count(&self.places.counter(key), by, ttl)).await
    }

    #[cfg(feature = "limit")]
    pub(crate) async fn take_units(
        &self,
        key: &str,
        request: &larder::internal::shared::TakeRequest,
    ) -> Result<(i64, i64), NotDone> {
        let place = self.places.limit(&request.rate, key);
        let [capacity, increment] = [request.capacity, request.increment]
            .map(|microseconds| i64::try_from(microseconds).unwrap_or(i64::MAX / 4).min(i64::MAX / 4));
        self.ask(Operation::Limit, self.database.take_units(&place, capacity, increment)).await
    }

    fn row(&self, message: &Message) -> Row {
        Row {
            place: self.places.entry(&message.key),
            epoch: column(message.epoch),
            lifetime_ms: milliseconds(message.lifetime),
            message: message.bytes.clone(),
        }
    }
}
