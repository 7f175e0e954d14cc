//! The log's sender: appends what waits in the outbox, in pieces that the link can carry, and deletes the entries of
//! what was invalidated behind that.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    contract::{Appended, Appending, LogConnection, LogError, Placed, Purpose},
    pace::Volume,
    record::Content,
    report::report,
    state::{Shared, Starts},
};
use crate::{
    backoff::Backoff,
    epoch::{Epoch, shared::OutboxBatch},
    link::Operation,
    mutant::{self, Rule},
    scope::ScopeHash,
};

/// How many wakes go out together.
const MOST_WAKES: usize = 64;

/// How long the sender waits for a new start on the server that it found.
const START: Duration = Duration::from_secs(1);

/// How many bytes go out together at least and at most: more than a link carries while a reply is on its way.
const LEAST_BYTES: usize = 512;
const FIRST_BYTES: usize = 32 << 10;
const MOST_BYTES: usize = 256 << 10;

/// How many bytes of keys are deleted at once: what comes behind them does not wait for long.
const MOST_DELETED_BYTES: usize = 8 << 10;

/// This key should be looked for again by those who wait for it; whether there is a value now.
pub(super) type Wake = (ScopeHash, bool);

pub(super) struct Sender {
    shared: Arc<Shared>,
    starts: watch::Receiver<Starts>,
    wakes: mpsc::Receiver<Wake>,
    link: Option<Box<dyn LogConnection>>,
    backoff: Backoff,
    /// How many bytes go out together.
    volume: Volume,
    /// What is being appended, oldest first. It stays here if the attempt is broken off.
    under_way: VecDeque<OutboxBatch>,
    /// Appended, and their callers not told so far.
    appended: Vec<(OutboxBatch, Epoch)>,
    /// The link has answered just now.
    proven: bool,
    /// The last ID that the server named.
    named: Epoch,
    /// The number of new starts when a start was last marked in the log.
    marked: u64,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, wakes: mpsc::Receiver<Wake>) -> Self {
        Self {
            starts: shared.starts.subscribe(),
            shared,
            wakes,
            link: None,
            backoff: Backoff::new(),
            volume: Volume::new(LEAST_BYTES, FIRST_BYTES, MOST_BYTES),
            under_way: VecDeque::new(),
            appended: Vec::new(),
            proven: false,
            named: Epoch::ZERO,
            marked: 0,
        }
    }

    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            // First of all: whatever ended the run before, a panic included, nothing is lost.
            self.give_up();
            let Err(failure) = self.serve().await;
            self.give_up();
            let log = &self.shared.name;
            report(|| tracing::debug!(log, %failure, "cannot append to the invalidation log"));
            self.shared.refused(Operation::Append, &failure);
            if failure.mend().is_some() {
                self.shared.log().outbox().refused();
            }
            let shared = self.shared.clone();
            tokio::select! {
                () = self.backoff.wait() => {}
                () = shared.found.notified() => {}
            }
        }
    }

    /// Sends what still waits, if the server lets us.
    pub(super) async fn finish(&mut self, limit: Duration) {
        self.return_batches();
        let outbox = self.shared.log().outbox();
        if outbox.len() == 0 && !outbox.has_work() {
            return;
        }
        let last = timeout(limit, async {
            self.connect().await?;
            self.send_all(None).await
        });
        if !matches!(last.await, Ok(Ok(()))) {
            report(|| {
                tracing::warn!(
                    log = self.shared.name,
                    scopes = self.shared.log().outbox().len(),
                    "the last cache on this log is gone before its invalidations were appended"
                );
            });
        }
    }

    async fn serve(&mut self) -> Result<Infallible, LogError> {
        self.connect().await?;
        let shared = self.shared.clone();
        let mut wake = None;
        loop {
            self.send_all(wake.take()).await?;
            // A link that breaks while it is idle does not tell.
            self.proven = false;
            let nudge = shared.nudge_every();
            tokio::select! {
                () = shared.log().outbox().wait() => {}
                Some(received) = self.wakes.recv() => wake = Some(received),
                // Perhaps on another server than ours.
                _ = self.starts.changed() => {}
                () = sleep(nudge.unwrap_or_default()), if nudge.is_some() => self.nudge().await?,
            }
        }
    }

    /// Has the server look for reads that are over.
    async fn nudge(&mut self) -> Result<(), LogError> {
        let link = self.link.as_mut().ok_or_else(|| LogError::new("not connected"))?;
        link.nudge(self.shared.deadline).await?;
        self.proven = true;
        Ok(())
    }

    /// Nothing is appended on a connection to a server that the log is not followed on: after a failover, all that
    /// was known must be in doubt first.
    async fn connect(&mut self) -> Result<(), LogError> {
        if self.link.is_none() {
            // Before the first start there is nothing to compare with.
            let started = self.starts.wait_for(|starts| starts.history.is_some()).await;
            drop(started.map_err(|_| LogError::new("the log is closed"))?);
            let link = self.shared.store.connect(Purpose::Append).await?;
            match link.objection() {
                Some(objection) => self.shared.refused(Operation::Append, objection),
                None if link.tried_appending() => self.shared.accepted(Operation::Append),
                None => {}
            }
            self.link = Some(link);
            self.proven = true;
            if !self.shared.is_followed() {
                // The server is back, and the reader need not wait any longer to find out.
                self.shared.recheck.notify_one();
            }
        }
        if self.is_admitted() {
            return Ok(());
        }
        let history = self.link.as_ref().map(|link| link.server().history.clone()).unwrap_or_default();
        self.shared.recheck.notify_one();
        let started = self.starts.wait_for(|starts| starts.history.as_deref() == Some(&*history));
        match timeout(START, started).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(LogError::new("connected to another server than the one whose log is followed")),
        }
    }

    fn is_admitted(&self) -> bool {
        self.link.as_ref().is_some_and(|link| self.shared.admits(&link.server().history))
    }

    /// Sends until nothing waits: records first, deletions behind them.
    async fn send_all(&mut self, mut wake: Option<Wake>) -> Result<(), LogError> {
        // Once a call, where there is nothing else: what is refused now is refused again.
        let mut marks = true;
        loop {
            if !self.is_admitted() {
                return Err(LogError::new("the log is followed on another server now"));
            }
            let mut wakes: Vec<_> = wake.take().into_iter().collect();
            while wakes.len() < MOST_WAKES
                && let Ok(wake) = self.wakes.try_recv()
            {
                wakes.push(wake);
            }
            // There is no waiting between the check above and here: what is taken before a new start is appended
            // again by it, and what is taken after it goes to the server on which it was made.
            let left = self.take_batches();
            let outbox = self.shared.log().outbox();
            // Deletions are sent once, and not on a link that may have been broken for hours.
            let keys = match left {
                left if left > 0 && self.proven => outbox.take_deletions(left.min(MOST_DELETED_BYTES)),
                _ => Vec::new(),
            };
            marks = marks && self.unmarked_start().is_some();
            if self.under_way.is_empty() && keys.is_empty() && wakes.is_empty() && !marks {
                if !outbox.has_deletions() {
                    return Ok(());
                }
                self.nudge().await?;
                continue;
            }
            marks = false;
            let full = outbox.has_work();
            let before = self.appended.len();
            if let Err(failure) = self.send(&wakes, &keys, full).await {
                self.volume.failed();
                return Err(failure);
            }
            self.proven = true;
            self.backoff.reset();
            // Callers find their counters deleted: they are told one round trip later, if there is anything to delete.
            let told = if self.shared.log().outbox().has_deletions() { before } else { self.appended.len() };
            self.tell_callers(told);
        }
    }

    /// The number of the last new start, if it is not marked in the log so far.
    fn unmarked_start(&self) -> Option<u64> {
        let started = self.starts.borrow().completed;
        (started != self.marked).then_some(started)
    }

    /// Takes along as much as goes out together. Returns how many bytes are left of that.
    fn take_batches(&mut self) -> usize {
        let mut left = self.volume.size();
        while let Some(batch) = self.shared.epochs.take(left / size_of::<u64>()) {
            left = left.saturating_sub(batch.scopes.len() * size_of::<u64>());
            self.under_way.push_back(batch);
            if left < LEAST_BYTES {
                return 0;
            }
        }
        left
    }

    /// Appends the batches that are under way, and these wakes, and deletes what lies under these keys.
    async fn send(&mut self, wakes: &[Wake], keys: &[Arc<str>], full: bool) -> Result<(), LogError> {
        let start = self.unmarked_start();
        let link = self.link.as_mut().ok_or_else(|| LogError::new("not connected"))?;
        // Not above a log that was lowered since.
        let named = self.named.min(self.shared.log().longest_leap());
        let last = named.max(self.shared.log().position());
        // Loaded after the batches were taken: what was taken under another identity waits again.
        let sender = self.shared.identity();
        let invalidation = |batch: &OutboxBatch| {
            Content::Invalidation { sender, attempt: batch.attempt, scopes: batch.scopes.clone() }.encode()
        };
        let append = Appending {
            start: start.map(|_| {
                let mark = start_epoch(last, self.shared.contact().server_now_ms());
                (mark, Content::Start { sender }.encode())
            }),
            // The store's own, unless its sequence is about to leave what an epoch can hold. A mark is beyond that.
            first: if start.is_some() { None } else { last.next_millisecond_near_end() },
            records: self.under_way.iter().map(invalidation).collect(),
            wakes: wakes.iter().map(|&(key, filled)| Content::Wake { key, filled }.encode()).collect(),
            keys,
        };
        let begun = Instant::now();
        let limit = self.shared.deadline;
        let Appended { start: marked, records } = link.append(append, self.volume.patience(limit)).await?;
        if let Some(start) = start {
            self.settle_start(start, marked)?;
        }
        self.settle(records.into_iter())?;
        self.volume.succeeded(full, begun.elapsed(), limit);
        Ok(())
    }

    /// Learns what became of the mark of a new start.
    fn settle_start(&mut self, start: u64, marked: Option<Result<Placed, LogError>>) -> Result<(), LogError> {
        match marked.ok_or_else(|| LogError::new("replies are missing"))? {
            // If another process has gone up there, the store's own epochs are above it.
            Ok(Placed::At(_) | Placed::Overtaken) => self.marked = start,
            Ok(Placed::NoLog) => return self.gone(),
            // Said once more when there is something to append.
            Err(failure) if self.under_way.is_empty() => self.shared.refused(Operation::Append, &failure),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn gone(&self) -> Result<(), LogError> {
        self.shared.recheck.notify_one();
        Err(LogError::new("the log is gone"))
    }

    /// Learns from the replies what became of the batches under way. What comes after one that failed waits again
    /// with it: callers are told of all that they asked for at once.
    fn settle(
        &mut self,
        mut replies: impl Iterator<Item = Result<Placed, LogError>>,
    ) -> Result<(), LogError> {
        while !self.under_way.is_empty() {
            match replies.next().ok_or_else(|| LogError::new("replies are missing"))?? {
                Placed::At(epoch) => {
                    if epoch.is_beyond_the_end() {
                        // Appended, and lost again: the reader makes such a log anew.
                        return Err(LogError::new("the log has an ID that no server gives"));
                    }
                    if mutant::is(Rule::OwnReplyMovesPosition) {
                        self.shared.log().move_to(epoch);
                    }
                    self.shared.accepted(Operation::Append);
                    self.named = epoch;
                    self.appended.extend(self.under_way.pop_front().map(|batch| (batch, epoch)));
                }
                Placed::Overtaken => return Err(LogError::new("the log has come to a later epoch")),
                Placed::NoLog => return self.gone(),
            }
        }
        Ok(())
    }

    /// Tells the callers of the first `count` attempts.
    fn tell_callers(&mut self, count: usize) {
        for (OutboxBatch { attempt, scopes }, epoch) in self.appended.drain(..count) {
            if self.shared.log().outbox().named(attempt, &scopes, epoch) {
                self.shared.awaited.notify_one();
            }
        }
    }

    fn return_batches(&mut self) {
        self.tell_callers(self.appended.len());
        self.shared.log().outbox().failed(self.under_way.drain(..));
    }

    fn give_up(&mut self) {
        self.return_batches();
        self.link = None;
        self.proven = false;
        // These are out of date when the link is back.
        while self.wakes.try_recv().is_ok() {}
    }
}

/// The epoch by which a process marks its new start: in a millisecond that no record was in so far.
///
/// A server that took the place of another one may lack the last records, and would give their IDs once more: while the
/// log is ahead of the clock they differ by their sequence only. Entries that were made after the lost records would
/// be newer than what is invalidated now.
fn start_epoch(last: Epoch, now: Option<u64>) -> Option<Epoch> {
    Epoch::mark(last, now.unwrap_or(0))
}
