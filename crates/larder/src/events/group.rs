//! Who handles published events, and what becomes of those that cannot be handled.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch, task::JoinHandle};

use super::{
    bus::Events,
    consumer::{Consumer, Handler, Route},
    event::{DeadEvent, Event, check},
    group_tasks::{Figures, Options, Running},
};
use crate::{
    error::{Kind, Result},
    scope::Scopes,
};

/// Sets up those who handle each published event once together: all processes that name the same group.
///
/// See [the module](crate::events).
#[must_use = "a group does nothing until `start` is called"]
pub struct Group {
    events: Events,
    options: Options,
    routes: HashMap<&'static str, Box<dyn Start>>,
    /// Why it cannot be started.
    fault: Option<String>,
}

/// What is started for one kind of event.
trait Start: Send {
    fn as_any(&mut self) -> &mut dyn Any;

    fn start(self: Box<Self>, events: &Events, running: &Running) -> Result<JoinHandle<()>>;
}

impl Events {
    /// Sets up those who handle each published event once together: all processes that name the same group.
    pub fn group(&self, name: impl Into<String>) -> Group {
        Group::new(self.clone(), name.into())
    }
}

impl<E: Event> Start for Route<E> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn start(self: Box<Self>, events: &Events, running: &Running) -> Result<JoinHandle<()>> {
        let runtime = Handle::try_current()
            .map_err(|_| Kind::configuration("a group of consumers is started in a tokio runtime"))?;
        let consumer = Consumer::new(events.store::<E>()?, *self, events.cache.clone(), running.clone());
        Ok(runtime.spawn(consumer.run()))
    }
}

impl Group {
    pub(super) fn new(events: Events, group: String) -> Self {
        let options = Options {
            group,
            attempts: 5,
            deadline: Duration::from_secs(30),
            claim_after: Duration::from_secs(30),
            from_oldest: false,
        };
        Self { events, options, routes: HashMap::new(), fault: None }
    }

    /// Invalidates what an event changes, before it is [handled](Self::handle).
    ///
    /// ```
    /// # use larder::events::{Event, Events};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct OrderPaid { order: u64 }
    /// # impl Event for OrderPaid { const NAME: &str = "order_paid"; }
    /// # fn set_up(events: &Events) {
    /// let group = events
    ///     .group("orders")
    ///     .on::<OrderPaid, _>(|event| [format!("order:{}", event.order), "dashboard:*".to_owned()]);
    /// # }
    /// ```
    pub fn on<E: Event, S: Into<Scopes>>(mut self, scopes: impl Fn(&E) -> S + Send + Sync + 'static) -> Self {
        if let Some(route) = self.route::<E>() {
            route.scopes.push(Arc::new(move |event| scopes(event).into()));
        }
        self
    }

    /// Handles an event. An error, a panic, and more than the [`deadline`](Self::deadline) are a failed attempt, after
    /// which all handlers of the event in this group are called again: they have to be idempotent.
    pub fn handle<E, F, X>(mut self, handler: impl Fn(Arc<E>) -> F + Send + Sync + 'static) -> Self
    where
        E: Event,
        F: Future<Output = Result<(), X>> + Send + 'static,
        X: fmt::Display,
    {
        if let Some(route) = self.route::<E>() {
            let handler: Handler<E> = Arc::new(move |event| {
                let handled = handler(event);
                Box::pin(async move { handled.await.map_err(|error| error.to_string()) })
            });
            route.handlers.push(handler);
        }
        self
    }

    /// How often an event is tried before it becomes a dead letter: 5 times unless this is called. A process that ended while
    /// it handled the event counts. What it had taken besides is tried at least once more, because it may not have begun.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.attempts = attempts.max(1);
        self
    }

    /// How long all handlers of an event together may take: 30 s unless this is called. Their task is aborted then, and waited for: one
    /// that blocks its thread ends when it lets go of that, and the event is not tried again beside it.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// On Redis: after how long another process takes the events of one that was killed, stopped or cut off: 30 s unless this
    /// is called, 100 ms at least and ten years at most. A process that lives says three times as often that it is at them, however long they
    /// take.
    pub fn claim_after(mut self, time: Duration) -> Self {
        const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
        self.options.claim_after = time.clamp(Duration::from_millis(100), TEN_YEARS);
        self
    }

    /// A group that is new begins with the oldest event that is [retained](Events::retain). Without this it begins with the
    /// first one that is published after it was started first.
    pub fn from_oldest(mut self) -> Self {
        self.options.from_oldest = true;
        self
    }

    /// Starts to handle events: those of each kind one after the other, different kinds side by side, in the current runtime.
    /// When this returns, the group is there: what is published from here on is handled.
    ///
    /// # Errors
    ///
    /// If a name is not allowed, two types of event have one name, or this is no tokio runtime; on Redis also if it cannot be
    /// asked for the group now.
    pub async fn start(self) -> Result<Consumers> {
        check(&self.options.group, "a group")?;
        if let Some(fault) = self.fault {
            return Err(Kind::configuration(fault).into());
        }
        let (sender, stop) = watch::channel(false);
        let figures = Arc::new(Figures::default());
        let running = Running { options: Arc::new(self.options), stop, figures: figures.clone() };
        let mut joined = Vec::new();
        for route in self.routes.into_values() {
            joined.push(route.start(&self.events, &running));
        }
        // Those that were started end with the sender if another one cannot be.
        let tasks = joined.into_iter().collect::<Result<Vec<_>>>()?;
        let consumers = Consumers { tasks, stop: sender, figures };
        running.joined(consumers.tasks.len()).await?;
        Ok(consumers)
    }

    /// The dead letters of this group for one kind of event, the oldest first, up to `count` of them.
    ///
    /// # Errors
    ///
    /// On Redis, if it cannot be asked.
    pub async fn dead<E: Event>(&self, count: usize) -> Result<Vec<DeadEvent<E>>> {
        self.events.store::<E>()?.dead(&self.options.group, count).await
    }

    /// Publishes a dead letter again, and removes it; says whether it was there. All groups handle it once more. On Redis it is
    /// published as it was, also if it cannot be read here.
    ///
    /// # Errors
    ///
    /// Those of [`Events::publish`]. If it cannot be removed afterwards, it is there still.
    pub async fn replay<E: Event>(&self, dead: &DeadEvent<E>) -> Result<bool> {
        let store = self.events.store::<E>()?;
        let is_there = store.replay(&self.options.group, &dead.id, self.events.retained).await?;
        Ok(is_there && store.discard(&self.options.group, &dead.id).await?)
    }

    /// Removes a dead letter; says whether it was there.
    ///
    /// # Errors
    ///
    /// On Redis, if it cannot be asked.
    pub async fn discard<E: Event>(&self, dead: &DeadEvent<E>) -> Result<bool> {
        self.events.store::<E>()?.discard(&self.options.group, &dead.id).await
    }

    fn route<E: Event>(&mut self) -> Option<&mut Route<E>> {
        let route = self.routes.entry(E::NAME).or_insert_with(|| Box::new(Route::<E>::default()));
        let route = route.as_any().downcast_mut();
        if route.is_none() {
            self.fault = Some(format!("events of two types are called {:?}", E::NAME));
        }
        route
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Those of this process who handle the events of a group. Dropped, they end after the event that they are at.
#[must_use = "dropped, the consumers stop"]
pub struct Consumers {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    figures: Arc<Figures>,
}

impl Consumers {
    /// Ends after the events that are being handled, within `limit`. What was fetched and not begun is given back. False if
    /// it took longer: the tasks are then aborted, and the group handles their events again.
    pub async fn stop(mut self, limit: Duration) -> bool {
        self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut self.tasks);
        let ended = tokio::time::timeout(limit, async {
            for task in &mut tasks {
                _ = task.await;
            }
        });
        let in_time = ended.await.is_ok();
        tasks.iter().for_each(JoinHandle::abort);
        in_time
    }

    /// What they did so far.
    #[must_use]
    pub fn stats(&self) -> GroupStats {
        let Figures { handled, failures, dead, claimed, .. } = &*self.figures;
        let [handled, failures, dead, claimed] =
            [handled, failures, dead, claimed].map(|figure| figure.load(Relaxed));
        GroupStats { handled, failures, dead, claimed }
    }
}

impl Drop for Consumers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for Consumers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumers").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// What the consumers of this process did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GroupStats {
    /// Events that all handlers were done with.
    pub handled: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Events that became dead letters.
    pub dead: u64,
    /// Events that were taken over from another process.
    pub claimed: u64,
}
