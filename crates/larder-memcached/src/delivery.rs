//! Telling memcached what was invalidated, in the background: one task for each node, so that one that is gone holds up
//! none but the scopes that have their generations there.

use std::{collections::HashMap, sync::Arc, time::Duration};

use larder::{
    ScopeHash,
    internal::shared::{Backoff, Undelivered, contained},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    stamp::random,
    store::{NewItem, Store, mark_text},
};

/// How many scopes are delivered at once.
const MOST: usize = 512;

/// How often in a row something is delivered before that is settled: under constant load something waits always.
const MOST_UNSETTLED: usize = 4;

/// More than are undelivered at a time: of so many that are not settled, some are of no interest any longer.
const MANY: usize = 1 << 17;

/// The first pause after a failure, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a node may take: no caller waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it goes on once the cache is dropped.
const LAST: Duration = Duration::from_secs(1);

/// Begins to deliver, until the cache is dropped and what it had invalidated is delivered.
pub(crate) fn start(store: &Arc<Store>, open: &watch::Sender<()>) {
    for lane in 0..store.nodes.len() {
        let (store, open) = (store.clone(), open.subscribe());
        let backoff = Backoff::between(PAUSE.0, PAUSE.1);
        tokio::spawn(Lane { store, lane, unsettled: HashMap::new(), backoff }.run(open));
    }
}

/// What goes to one node.
struct Lane {
    store: Arc<Store>,
    lane: usize,
    /// Delivered, before it is known what the counter was after that.
    unsettled: HashMap<ScopeHash, Undelivered>,
    backoff: Backoff,
}

/// What came of delivering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivered {
    /// Nothing is left.
    All,
    /// More may wait.
    Some,
    /// It could not be delivered to the node.
    Failed,
}

impl Lane {
    async fn run(mut self, mut open: watch::Receiver<()>) {
        loop {
            let (store, lane) = (self.store.clone(), self.lane);
            let (delivered, is_settled) = (self.deliver().await, self.settle().await);
            let is_delivered = delivered != Delivered::Failed;
            if is_delivered && is_settled {
                self.backoff.reset();
            }
            if delivered == Delivered::Some {
                continue;
            }
            tokio::select! {
                // Nothing is ever sent.
                _ = open.changed() => break,
                // What cannot be settled holds up no delivery: the counter is on another node.
                () = store.order.wait(lane), if is_delivered => {}
                () = self.backoff.wait(), if !(is_delivered && is_settled) => {}
            }
        }
        let end = Instant::now() + LAST;
        let last = async {
            loop {
                match self.deliver().await {
                    Delivered::All => break,
                    Delivered::Some => {}
                    Delivered::Failed => self.backoff.wait().await,
                }
            }
        };
        if timeout_at(end, last).await.is_err() {
            let node = self.store.nodes[self.lane].address();
            contained(|| {
                tracing::warn!(node, "the cache is gone before its invalidations were delivered to a node")
            });
        }
    }

    /// Delivers what waits, for [`MOST_UNSETTLED`] times at most.
    async fn deliver(&mut self) -> Delivered {
        for _ in 0..MOST_UNSETTLED {
            let mut taken = self.store.order.take(self.lane, MOST);
            if taken.is_empty() {
                return Delivered::All;
            }
            if !deliver_some(&self.store, self.lane, &mut taken).await {
                self.store.order.give_back(self.lane, &taken);
                return Delivered::Failed;
            }
            self.unsettled.extend(taken.into_iter().map(|taken| (taken.scope(), taken)));
            if self.unsettled.len() > MANY {
                // The others became one that covers everything.
                self.unsettled.retain(|scope, _| self.store.order.is_undelivered(*scope));
            }
        }
        Delivered::Some
    }

    /// Has what was delivered count no longer against entries that are computed from now on. False if the counter cannot be
    /// had: it is delivered all the same.
    async fn settle(&mut self) -> bool {
        if self.unsettled.is_empty() {
            return true;
        }
        match self.store.count_and_see().await {
            Ok(after) => {
                let settled: Vec<_> = self.unsettled.drain().map(|(_, settled)| settled).collect();
                self.store.order.settle(&settled, after);
            }
            Err(_) => return false,
        }
        true
    }
}

/// Removes the generations of these scopes, and counters; and entries under their keys, if it can. Those of keys whose entries are
/// replaced are marked instead, for what was inserted to be proved by. An earlier attempt may arrive late: each has marks of its
/// own.
async fn deliver_some(store: &Store, lane: usize, taken: &mut [Undelivered]) -> bool {
    let (mut names, mut marks, mut entries) = (Vec::with_capacity(taken.len()), Vec::new(), Vec::new());
    for taken in taken.iter_mut().filter(|taken| !taken.is_delivered()) {
        if let Some(key) = taken.key() {
            let counter = store.names.counter(key);
            if store.placement.of(&counter) == lane {
                names.push(counter);
            }
            entries.extend((!taken.is_counter()).then(|| store.names.entry(key)));
        }
        if taken.is_counter() {
            continue;
        }
        let name = store.names.generation(taken.scope());
        if taken.is_replaced() {
            let mark = random();
            taken.leave_mark(mark);
            marks.push(NewItem { name, flags: 0, expires: 0, data: mark_text(mark).into_bytes() });
        } else {
            names.push(name);
        }
    }
    let limit = store.deadline.max(PATIENCE);
    let no_longer_valid = async {
        if !entries.is_empty() {
            store.delete(entries, limit).await;
        }
    };
    let delivering = async {
        match names.is_empty() && marks.is_empty() {
            true => Ok(()),
            false => store.invalidate_at(lane, &names, &marks, limit).await,
        }
    };
    let (delivered, ()) = tokio::join!(delivering, no_longer_valid);
    if delivered.is_ok() {
        store.order.tell(taken);
    }
    delivered.is_ok()
}
