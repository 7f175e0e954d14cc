//! One task of a group: takes events of one kind, has them handled, and settles them.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    event::{Event, EventId},
    group_tasks::Running,
    store::{Delivery, Store},
};
use crate::{
    backoff::jittered,
    cache::Cache,
    panic_guard,
    scope::Scopes,
    sync::plain::{Mutex, lock},
    typed::CacheExt,
};

/// Says what came of an event.
pub(super) type Handler<E> =
    Arc<dyn Fn(Arc<E>) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Says what an event makes invalid.
type Changes<E> = Arc<dyn Fn(&E) -> Scopes + Send + Sync>;

/// Pauses after a failed attempt, and after many.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What is done about one kind of event.
pub(super) struct Route<E> {
    pub(super) scopes: Vec<Changes<E>>,
    pub(super) handlers: Vec<Handler<E>>,
}

impl<E> Default for Route<E> {
    fn default() -> Self {
        Self { scopes: Vec::new(), handlers: Vec::new() }
    }
}

impl<E> Clone for Route<E> {
    fn clone(&self) -> Self {
        Self { scopes: self.scopes.clone(), handlers: self.handlers.clone() }
    }
}

impl<E: Event> Route<E> {
    async fn run(self, event: Arc<E>, cache: Arc<dyn Cache>) -> Result<(), String> {
        for scopes in &self.scopes {
            cache.invalidate(scopes(&event)).await;
        }
        for handler in &self.handlers {
            handler(event.clone()).await?;
        }
        Ok(())
    }
}

pub(super) struct Consumer<E> {
    store: Arc<dyn Store<E>>,
    route: Route<E>,
    cache: Arc<dyn Cache>,
    running: Running,
    /// What this task was given and has not settled.
    in_hand: Arc<Mutex<Vec<EventId>>>,
}

impl<E: Event> Consumer<E> {
    pub(super) fn new(
        store: Arc<dyn Store<E>>,
        route: Route<E>,
        cache: Arc<dyn Cache>,
        running: Running,
    ) -> Self {
        Self { store, route, cache, running, in_hand: Arc::default() }
    }

    fn group(&self) -> &str {
        &self.running.options.group
    }

    pub(super) async fn run(self) {
        let joined = self.store.join(self.group(), self.running.options.from_oldest).await;
        self.running.figures.joins.send_modify(|joins| match joined {
            Ok(()) => joins.made += 1,
            Err(error) => joins.failure = Some(error),
        });
        let mut keeping = JoinSet::new();
        let (store, in_hand, running) = (self.store.clone(), self.in_hand.clone(), self.running.clone());
        keeping.spawn(keep(store, in_hand, running));
        // Code of users runs in there, a `Drop` of an event also.
        while panic_guard::contain_future(self.consume()).await.is_none() {
            self.abandon();
            panic_guard::report!(
                error,
                event = E::NAME,
                group = self.group(),
                "a consumer of events panicked: it begins anew"
            );
            self.pause(1).await;
        }
    }

    async fn consume(&self) {
        let mut stop = self.running.stop.clone();
        let mut next_claim = Instant::now();
        let mut failures = 0_u32;
        while !is_over(&stop) {
            match self.take(&mut next_claim).await {
                Ok(taken) if taken.is_empty() => {
                    failures = 0;
                    tokio::select! {
                        () = self.store.arrival(self.group()) => {}
                        () = tokio::time::sleep_until(next_claim) => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(taken) => {
                    failures = 0;
                    self.settle_all(taken).await;
                }
                Err(error) => {
                    panic_guard::report!(debug, event = E::NAME, group = self.group(), %error, "events cannot be read now");
                    failures = failures.saturating_add(1);
                    self.pause(failures).await;
                }
            }
        }
    }

    async fn take(&self, next_claim: &mut Instant) -> crate::Result<Vec<Delivery<E>>> {
        let now = Instant::now();
        if now >= *next_claim {
            let options = &self.running.options;
            *next_claim = now + options.claim_after / 2;
            if let Some(claimed) = self.store.claim(self.group(), options.claim_after).await? {
                self.running.figures.claimed.fetch_add(1, Relaxed);
                // There may be more that the same process left.
                *next_claim = now;
                return Ok(vec![claimed]);
            }
        }
        self.store.fetch(self.group()).await
    }

    async fn settle_all(&self, taken: Vec<Delivery<E>>) {
        *lock(&self.in_hand) = taken.iter().map(|delivery| delivery.id.clone()).collect();
        let mut taken = taken.into_iter();
        while let Some(delivery) = taken.next() {
            let settled = self.settle(&delivery).await;
            lock(&self.in_hand).retain(|id| *id != delivery.id);
            if !settled || is_over(&self.running.stop) {
                lock(&self.in_hand).clear();
                let mut left: Vec<_> = if settled { Vec::new() } else { vec![delivery] };
                left.extend(taken.by_ref());
                self.store.give_back(self.group(), left, self.running.options.claim_after).await;
            }
        }
    }

    /// False if the task is to end before the event is settled.
    async fn settle(&self, delivery: &Delivery<E>) -> bool {
        // What another process was given with others was perhaps not tried there: once it is tried here.
        let attempts = u64::from(self.running.options.attempts).max(delivery.times.min(2));
        let mut reason = "each process that had it ended before it was handled".to_owned();
        let event = match &delivery.event {
            Ok(event) => event,
            Err(unreadable) => return self.bury(delivery, unreadable).await,
        };
        for attempt in delivery.times..=attempts {
            match self.attempt(event.clone()).await {
                Ok(()) => {
                    self.running.figures.handled.fetch_add(1, Relaxed);
                    // If it fails, the event is given once more.
                    _ = self.store.acknowledge(self.group(), &delivery.id).await;
                    return true;
                }
                Err(error) => reason = error,
            }
            self.running.figures.failures.fetch_add(1, Relaxed);
            panic_guard::report!(debug, event = E::NAME, id = %delivery.id, attempt, reason, "an event could not be handled");
            if attempt < attempts {
                self.pause(u32::try_from(attempt).unwrap_or(u32::MAX)).await;
                if is_over(&self.running.stop) {
                    return false;
                }
            }
        }
        self.bury(delivery, &reason).await
    }

    /// In a task of its own: what panics or hangs there is a failed attempt.
    async fn attempt(&self, event: Arc<E>) -> Result<(), String> {
        let mut task = JoinSet::new();
        task.spawn(self.route.clone().run(event, self.cache.clone()));
        let deadline = self.running.options.deadline;
        let in_time = tokio::time::timeout(deadline, task.join_next()).await.ok();
        let is_late = in_time.is_none();
        let ended = match in_time {
            Some(ended) => ended,
            None => {
                // One that blocks its thread goes on until it lets go of that: the next attempt would run beside it.
                task.abort_all();
                task.join_next().await
            }
        };
        match ended {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) if error.is_panic() => Err("a handler panicked".to_owned()),
            _ if is_late => Err(format!("it was not handled within {deadline:?}")),
            _ => Err("the runtime ends".to_owned()),
        }
    }

    async fn bury(&self, delivery: &Delivery<E>, reason: &str) -> bool {
        let buried = self.store.bury(self.group(), delivery, reason).await;
        if buried.is_ok() {
            self.running.figures.dead.fetch_add(1, Relaxed);
            panic_guard::report!(
                warn,
                event = E::NAME,
                group = self.group(),
                id = %delivery.id,
                reason,
                "an event could not be handled, and is a dead letter: see `Group::dead`"
            );
        }
        // Otherwise it stays with this process, which is silent about it from here on, and is given again.
        true
    }

    async fn pause(&self, failures: u32) {
        let pause = jittered(PAUSES.0, failures.saturating_sub(1), PAUSES.1, fastrand::f64());
        let mut stop = self.running.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

impl<E> Consumer<E> {
    /// Nothing is done any more about what was given and is not settled.
    fn abandon(&self) {
        let ids = std::mem::take(&mut *lock(&self.in_hand));
        self.store.abandon(&self.running.options.group, &ids);
    }
}

impl<E> Drop for Consumer<E> {
    /// Also if its task is aborted.
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Says often enough that this process is at what it was given.
async fn keep<E: Event>(store: Arc<dyn Store<E>>, in_hand: Arc<Mutex<Vec<EventId>>>, running: Running) {
    let mut interval = tokio::time::interval(running.options.claim_after / 3);
    loop {
        interval.tick().await;
        let ids = lock(&in_hand).clone();
        if !ids.is_empty() {
            store.keep(&running.options.group, &ids).await;
        }
    }
}

fn is_over(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}
