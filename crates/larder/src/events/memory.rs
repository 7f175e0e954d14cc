//! Events of one kind in this process: gone with it.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use super::{
    event::{DeadEvent, Event, EventId},
    store::{Delivery, Store},
    subscription::Subscription,
};
use crate::{
    error::Result,
    sync::plain::{Mutex, lock},
};

/// How many events a subscription may be behind.
const BEHIND: usize = 1_024;

/// How many dead letters a group keeps.
const DEAD: usize = 10_000;

pub(super) struct Topic<E> {
    state: Mutex<State<E>>,
    told: broadcast::Sender<Arc<dyn Any + Send + Sync>>,
    arrivals: Notify,
}

struct State<E> {
    last: u64,
    /// For groups that begin with the oldest.
    kept: VecDeque<(u64, Arc<E>)>,
    groups: HashMap<String, Waiting<E>>,
}

struct Waiting<E> {
    events: VecDeque<(u64, Arc<E>)>,
    dead: VecDeque<DeadEvent<E>>,
}

impl<E> Default for Topic<E> {
    fn default() -> Self {
        let state = State { last: 0, kept: VecDeque::new(), groups: HashMap::new() };
        Self { state: Mutex::new(state), told: broadcast::Sender::new(BEHIND), arrivals: Notify::new() }
    }
}

impl<E> Topic<E> {
    fn with<R>(&self, group: &str, act: impl FnOnce(&mut Waiting<E>) -> R) -> Option<R> {
        lock(&self.state).groups.get_mut(group).map(act)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    queue.push_back(item);
    while queue.len() > most {
        queue.pop_front();
    }
}

#[async_trait]
impl<E: Event> Store<E> for Topic<E> {
    async fn publish(&self, event: &E, retained: u64) -> Result<EventId> {
        let (event, most) = (Arc::new(event.clone()), usize::try_from(retained).unwrap_or(usize::MAX));
        let mut state = lock(&self.state);
        state.last += 1;
        let id = state.last;
        push(&mut state.kept, (id, event.clone()), most);
        state.groups.values_mut().for_each(|group| push(&mut group.events, (id, event.clone()), most));
        drop(state);
        self.arrivals.notify_waiters();
        Ok(EventId(id.to_string()))
    }

    async fn broadcast(&self, event: &E) -> Result<()> {
        // That there is no one is no error.
        _ = self.told.send(Arc::new(event.clone()));
        Ok(())
    }

    async fn subscribe(&self) -> Result<Subscription<E>> {
        Ok(Subscription::local(self.told.subscribe()))
    }

    async fn join(&self, group: &str, from_oldest: bool) -> Result<()> {
        let mut state = lock(&self.state);
        let events = if from_oldest { state.kept.clone() } else { VecDeque::new() };
        state.groups.entry(group.to_owned()).or_insert_with(|| Waiting { events, dead: VecDeque::new() });
        Ok(())
    }

    async fn fetch(&self, group: &str) -> Result<Vec<Delivery<E>>> {
        let next = self.with(group, |waiting| waiting.events.pop_front()).flatten();
        let delivery =
            |(id, event): (u64, Arc<E>)| Delivery { id: EventId(id.to_string()), event: Ok(event), times: 1 };
        Ok(next.map(delivery).into_iter().collect())
    }

    /// What a task was given is gone with it: both end with the process.
    async fn claim(&self, _group: &str, _silent: Duration) -> Result<Option<Delivery<E>>> {
        Ok(None)
    }

    async fn keep(&self, _group: &str, _ids: &[EventId]) {}

    async fn give_back(&self, group: &str, deliveries: Vec<Delivery<E>>, _silent: Duration) {
        self.with(group, |waiting| {
            for Delivery { id, event, .. } in deliveries.into_iter().rev() {
                if let (Ok(id), Ok(event)) = (id.0.parse(), event) {
                    waiting.events.push_front((id, event));
                }
            }
        });
        self.arrivals.notify_waiters();
    }

    async fn acknowledge(&self, _group: &str, _id: &EventId) -> Result<()> {
        Ok(())
    }

    async fn bury(&self, group: &str, delivery: &Delivery<E>, reason: &str) -> Result<()> {
        let event = delivery.event.as_ref().ok().map(|event| E::clone(event));
        let dead = DeadEvent { id: delivery.id.clone(), event, reason: reason.to_owned() };
        self.with(group, |waiting| push(&mut waiting.dead, dead, DEAD));
        Ok(())
    }

    async fn arrival(&self, group: &str) {
        /// As often as Redis is asked.
        const LONGEST: Duration = Duration::from_secs(1);
        let notified = self.arrivals.notified();
        tokio::pin!(notified);
        // Before the look: what comes after it wakes this one.
        notified.as_mut().enable();
        if self.with(group, |waiting| waiting.events.is_empty()) != Some(false) {
            _ = tokio::time::timeout(LONGEST, notified).await;
        }
    }

    async fn dead(&self, group: &str, count: usize) -> Result<Vec<DeadEvent<E>>> {
        Ok(self.with(group, |waiting| waiting.dead.iter().take(count).cloned().collect()).unwrap_or_default())
    }

    async fn discard(&self, group: &str, id: &EventId) -> Result<bool> {
        let removed = self.with(group, |waiting| {
            let before = waiting.dead.len();
            waiting.dead.retain(|dead| dead.id != *id);
            waiting.dead.len() < before
        });
        Ok(removed.unwrap_or(false))
    }
}
