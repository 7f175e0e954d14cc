//! The consumer: from the queue to the sink.

mod alone;

use std::{
    collections::{BTreeMap, HashSet},
    future::pending,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep};

use super::{
    backlog::{Backlog, Batching, Group, Next},
    coalescing, commit,
    consumer_lease::Term,
    delivery::{Admission, Delivered, deliver},
    options::Coalesce,
    queue_state::{Phase, Shared},
    sink::{FailedItem, Sink},
    stats::Figures,
    store::{Fetched, InHand, Settlement},
    write::Batch,
};
use crate::{
    clock::boot_time,
    log_throttle::LogThrottle,
    panic_guard::{contain_future, report},
    value::Value,
};

/// Between two calls of a store that fail.
const PAUSE: Duration = Duration::from_millis(50);

/// Before a consumer that panicked begins anew.
const AFTER_PANIC: Duration = Duration::from_millis(100);

pub(super) struct Consumer<T> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) sink: Arc<dyn Sink<T>>,
    pub(super) phase: watch::Receiver<Phase>,
    /// Whether all handles are known to be gone: nothing is told any more.
    pub(super) orphaned: bool,
    /// A database that is away fails batch after batch.
    pub(super) failures: LogThrottle,
}

/// What came of a batch: what is over, and the keys that are not.
#[derive(Default)]
struct Outcome {
    settlement: Settlement,
    held: HashSet<Arc<str>>,
}

/// Why a term ended.
#[derive(PartialEq, Eq)]
enum Ended {
    Lost,
    Stopped,
}

impl<T: Value> Consumer<T> {
    /// Consumes until it is stopped, whenever no other process does. Code of users runs in there, a `Drop` of a value also:
    /// where it panics, what was taken and is not settled is taken anew.
    pub(super) async fn run(mut self) {
        while contain_future(self.consume()).await.is_none() {
            self.shared.figures.consuming.store(0, Relaxed);
            report!(
                error,
                queue = self.shared.options.name,
                "the consumer of a write-behind queue panicked: it begins anew"
            );
            sleep(AFTER_PANIC).await;
        }
    }

    async fn consume(&mut self) {
        while self.phase() != Phase::Over {
            let Shared { store, options, figures, .. } = &*self.shared;
            let asked = boot_time::Instant::now();
            let pause = match store.take_over().await {
                Ok(true) => {
                    let (store, lease) = (store.clone(), options.takeover_after);
                    figures.takeovers.fetch_add(1, Relaxed);
                    figures.consuming.store(1, Relaxed);
                    let term = Term::begin(&store, asked, lease);
                    let ended = self.term(&term).await;
                    self.shared.figures.consuming.store(0, Relaxed);
                    drop(term);
                    if ended == Ended::Stopped {
                        store.release().await;
                        return;
                    }
                    Duration::ZERO
                }
                // It is another one's to drain.
                _ if self.phase() != Phase::Running => return,
                Ok(false) => options.takeover_after / 4,
                Err(error) => {
                    report!(debug, queue = options.name, %error, "a write-behind queue cannot be consumed now");
                    options.takeover_after / 4
                }
            };
            // Also after a term that was lost at once, so that nothing turns in a circle without a pause.
            let pause = pause.clamp(Duration::from_millis(10), Duration::from_secs(1));
            tokio::select! {
                () = sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                () = told(&mut self.phase, &mut self.orphaned) => {}
            }
        }
    }

    /// What is asked of it. Without a handle it is over, in memory once all is written.
    fn phase(&self) -> Phase {
        let phase = *self.phase.borrow();
        match self.phase.has_changed() {
            Err(_) if phase == Phase::Running => self.shared.without_handle,
            _ => phase,
        }
    }

    async fn term(&mut self, term: &Term) -> Ended {
        let mut backlog = Backlog::new(self.batching());
        loop {
            let phase = self.phase();
            if phase == Phase::Over {
                return Ended::Stopped;
            }
            if term.is_over() {
                return Ended::Lost;
            }
            let hurry = phase == Phase::Draining || self.shared.hurries.load(Relaxed) > 0;
            let Some(brought) = self.fill(&mut backlog, term).await else { return Ended::Lost };
            match backlog.next(Instant::now(), hurry) {
                Next::Batch(groups) => {
                    if !self.write(&mut backlog, groups, term).await {
                        return Ended::Lost;
                    }
                }
                Next::Empty if phase == Phase::Draining && brought == Some(0) => return Ended::Stopped,
                Next::Empty => self.idle(None, term).await,
                Next::At(due) => self.idle(Some(due), term).await,
            }
        }
    }

    fn batching(&self) -> Batching {
        let options = &self.shared.options;
        Batching {
            max_batch: options.max_batch,
            max_delay: options.max_delay,
            coalesces: !matches!(options.coalesce, Coalesce::Off),
            retries: options.retries,
        }
    }

    /// Takes what there is, as far as there is room, and says how much that was: none inside if the store could not be
    /// asked. None if the lease was lost.
    async fn fill(&self, backlog: &mut Backlog<T>, term: &Term) -> Option<Option<usize>> {
        const AT_ONCE: usize = 1_000;
        let Shared { store, options, figures, .. } = &*self.shared;
        // What a failing key holds up takes no room: nothing else would be written, and so nothing given up.
        let room = options.capacity().saturating_sub(backlog.free()).min(AT_ONCE);
        if room == 0 {
            // What reads asks for the lease; without room nothing is read.
            return (!matches!(store.renew().await, Ok(false))).then_some(None);
        }
        let Fetched { records, broken } = match store.fetch(room, backlog.in_hand()).await {
            Ok(fetched) => fetched?,
            Err(error) => {
                report!(debug, queue = options.name, %error, "a write-behind queue cannot be read now");
                return Some(None);
            }
        };
        let count = records.len() + broken.len();
        let now = Instant::now();
        records.into_iter().for_each(|record| backlog.push(record, now));
        if !broken.is_empty() {
            Figures::add(&figures.undecodable, broken.len());
            let mut settlement = Settlement::default();
            for record in &broken {
                settlement.given_up([(record.id, &record.cache_key)], &record.reason);
            }
            self.settle(settlement, backlog.in_hand().and(&broken), term).await.then_some(())?;
        }
        Some(Some(count))
    }

    /// Waits for something to do.
    async fn idle(&mut self, due: Option<Instant>, term: &Term) {
        /// What is lost of notices is made good.
        const LONGEST: Duration = Duration::from_secs(1);
        let Shared { store, options, wake, .. } = &*self.shared;
        let limit = match due {
            // Others come meanwhile: to look for each of them at once would cost more than it brings.
            Some(due) => {
                let slice = (options.max_delay / 4).max(Duration::from_millis(1));
                due.saturating_duration_since(Instant::now()).min(slice)
            }
            None => LONGEST,
        };
        tokio::select! {
            () = sleep(limit) => {}
            () = store.arrival(), if due.is_none() => {}
            () = wake.notified() => {}
            () = term.over() => {}
            () = told(&mut self.phase, &mut self.orphaned) => {}
        }
    }

    /// Has the sink write a batch, and settles what came of it. False if the lease was lost.
    async fn write(&self, backlog: &mut Backlog<T>, groups: Vec<Group<T>>, term: &Term) -> bool {
        let Shared { store, options, .. } = &*self.shared;
        let mut outcome = Outcome::default();
        let alone = groups.first().and_then(Group::alone);
        match self.admit(alone, term).await {
            Admission::Write => {}
            Admission::GiveUp => return self.give_up(backlog, &groups, outcome, term).await,
            Admission::Later => return !term.is_over(),
        }
        let mut sent: Vec<Group<T>> = Vec::with_capacity(groups.len());
        let mut writes = Vec::with_capacity(groups.len());
        for group in groups {
            match coalescing::write_of(&group, &options.coalesce) {
                Ok(write) => {
                    writes.push(write);
                    sent.push(group);
                }
                Err(reason) => self.failed_write(backlog, &group, (reason, false), &mut outcome),
            }
        }
        if !sent.is_empty() {
            let delivery = deliver(&self.shared, &self.sink, Batch(writes.into()));
            let delivered = tokio::select! {
                delivered = delivery => delivered,
                // Another process may be writing: what this one has begun is broken off.
                () = term.over() => return false,
            };
            if let Some(id) = alone {
                store.end_alone(id).await;
            }
            match delivered {
                Delivered::Written(failed) => self.written(backlog, &sent, &failed, &mut outcome),
                Delivered::Failed(reason) => self.failed_batch(backlog, &sent, &reason, &mut outcome),
            }
        }
        self.remove(backlog, outcome, term).await
    }

    /// A batch was written, but these of it.
    fn written(
        &self,
        backlog: &mut Backlog<T>,
        sent: &[Group<T>],
        failed: &BTreeMap<usize, FailedItem>,
        outcome: &mut Outcome,
    ) {
        let figures = &self.shared.figures;
        figures.batches.fetch_add(1, Relaxed);
        figures.succeeded();
        backlog.written();
        for (index, group) in sent.iter().enumerate() {
            match failed.get(&index) {
                Some(item) => self.failed_write(backlog, group, (&item.reason, item.rejected), outcome),
                // What comes after one of its key that is tried again is written once more, after it.
                None if outcome.held.contains(group.key()) => {}
                None => {
                    Figures::add(&figures.coalesced, group.records.len() - 1);
                    outcome.settlement.written(&group.records);
                }
            }
        }
    }

    /// One write of a batch failed, while others were written.
    fn failed_write(
        &self,
        backlog: &mut Backlog<T>,
        group: &Group<T>,
        (reason, rejected): (&str, bool),
        outcome: &mut Outcome,
    ) {
        let figures = &self.shared.figures;
        figures.failed_writes.fetch_add(1, Relaxed);
        figures.failed(reason);
        if outcome.held.contains(group.key()) {
            return;
        }
        let over = rejected || backlog.failed_alone(group.key(), Instant::now(), fastrand::f64());
        if over {
            outcome.settlement.given_up(group.dead(), reason);
        } else {
            outcome.held.insert(group.key().clone());
        }
    }

    /// Nothing of a batch was written.
    fn failed_batch(
        &self,
        backlog: &mut Backlog<T>,
        groups: &[Group<T>],
        reason: &str,
        outcome: &mut Outcome,
    ) {
        let Shared { options, figures, .. } = &*self.shared;
        figures.failed_batches.fetch_add(1, Relaxed);
        figures.failed(reason);
        if let Some(count) = self.failures.due() {
            let writes = groups.len();
            report!(
                warn,
                queue = options.name,
                writes,
                reason,
                count,
                "a batch was not written (said once a minute at most)"
            );
        }
        if groups.len() == 1 {
            figures.failed_writes.fetch_add(1, Relaxed);
        }
        if backlog.failed(groups, Instant::now(), fastrand::f64()) {
            groups.iter().for_each(|group| outcome.settlement.given_up(group.dead(), reason));
        }
    }

    /// Settles, and forgets what is settled. False if the lease was lost.
    async fn remove(&self, backlog: &mut Backlog<T>, outcome: Outcome, term: &Term) -> bool {
        let Outcome { settlement, held } = outcome;
        if settlement.is_empty() {
            return true;
        }
        let ids = settlement.done.iter().chain(settlement.dead.iter().map(|(id, _)| id)).copied().collect();
        if !self.settle(settlement, backlog.in_hand(), term).await {
            return false;
        }
        backlog.remove(&ids, &held);
        true
    }

    /// Settles, however often it has to be tried. False if the lease was lost.
    async fn settle(&self, mut settlement: Settlement, in_hand: InHand, term: &Term) -> bool {
        let Shared { store, options, figures, .. } = &*self.shared;
        loop {
            match commit::settle(&**store, options.cache.as_deref(), &mut settlement, in_hand).await {
                Ok(still) => {
                    Figures::add(&figures.written, settlement.done.len());
                    if still && !settlement.dead.is_empty() {
                        Figures::add(&figures.dead, settlement.dead.len());
                        let (id, reason) = &settlement.dead[0];
                        let count = settlement.dead.len();
                        report!(error, queue = options.name, count, first = %id, reason, "writes were given up: they are dead letters now");
                    }
                    return still;
                }
                Err(error) => {
                    report!(debug, queue = options.name, %error, "writes cannot be settled now");
                    tokio::select! {
                        () = sleep(PAUSE) => {}
                        () = term.over() => return false,
                    }
                }
            }
        }
    }
}

/// Returns when the phase changes, and once when there is no handle any more.
async fn told(phase: &mut watch::Receiver<Phase>, orphaned: &mut bool) {
    if *orphaned {
        pending::<()>().await;
    }
    if phase.changed().await.is_err() {
        *orphaned = true;
    }
}
