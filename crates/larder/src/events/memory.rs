//! Events of one kind in this process: gone with it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use super::{
    event::{DeadEvent, Event, EventId},
    store::{Delivery, Store},
    subscription::{Subscription, Told},
};
use crate::{
    drop_later,
    error::Result,
    sync::plain::{Mutex, lock},
};

/// How many events a subscription may be behind.
const BEHIND: usize = 1_024;

/// How many dead letters a group keeps.
const DEAD: usize = 10_000;

pub(super) struct Topic<E> {
    state: Mutex<State<E>>,
    told: broadcast::Sender<Arc<Told>>,
    arrivals: Notify,
}

struct State<E> {
    last: u64,
    /// For groups that begin with the oldest.
    kept: VecDeque<(u64, Arc<E>)>,
    groups: HashMap<String, Waiting<E>>,
}

struct Waiting<E> {
    /// In their order.
    events: VecDeque<(u64, Arc<E>)>,
    /// What tasks were given and have not settled.
    given: BTreeMap<u64, Arc<E>>,
    dead: VecDeque<Letter<E>>,
}

struct Letter<E> {
    id: u64,
    event: Arc<E>,
    reason: String,
}

impl<E> Default for Topic<E> {
    fn default() -> Self {
        let state = State { last: 0, kept: VecDeque::new(), groups: HashMap::new() };
        Self { state: Mutex::new(state), told: broadcast::Sender::new(BEHIND), arrivals: Notify::new() }
    }
}

impl<E> Topic<E> {
    /// What `act` gives is dropped after the lock: events are the user's, and what they do in `Drop` and `Clone` also.
    fn with<R>(&self, group: &str, act: impl FnOnce(&mut Waiting<E>) -> R) -> Option<R> {
        lock(&self.state).groups.get_mut(group).map(act)
    }

    /// These wait again, before all that comes later.
    fn wait_again(&self, group: &str, ids: impl Iterator<Item = u64>) {
        self.with(group, |waiting| {
            for (id, event) in ids.filter_map(|id| waiting.given.remove_entry(&id)) {
                let place = waiting.events.partition_point(|(other, _)| *other < id);
                waiting.events.insert(place, (id, event));
            }
        });
        self.arrivals.notify_waiters();
    }
}

impl<E: Event> Topic<E> {
    fn append(&self, event: Arc<E>, retained: u64) -> u64 {
        let most = usize::try_from(retained).unwrap_or(usize::MAX);
        let mut over = Vec::new();
        let id = {
            let mut state = lock(&self.state);
            state.last += 1;
            let id = state.last;
            over.extend(push(&mut state.kept, (id, event.clone()), most));
            for group in state.groups.values_mut() {
                over.extend(push(&mut group.events, (id, event.clone()), most));
            }
            id
        };
        self.arrivals.notify_waiters();
        id
    }
}

/// Adds an item, and takes those that are too many out.
fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) -> Vec<T> {
    queue.push_back(item);
    let over = queue.len().saturating_sub(most);
    queue.drain(..over).collect()
}

fn number(id: &EventId) -> Option<u64> {
    id.0.parse().ok()
}

#[async_trait]
impl<E: Event> Store<E> for Topic<E> {
    async fn publish(&self, event: &E, retained: u64) -> Result<EventId> {
        Ok(EventId(self.append(Arc::new(event.clone()), retained).to_string()))
    }

    async fn broadcast(&self, event: &E) -> Result<()> {
        // That there is no one is no error.
        let told = Arc::new(Told::new(event.clone()));
        // The oldest one may go for it, under locks of the channel's.
        _ = drop_later::hold_up(|| self.told.send(told));
        Ok(())
    }

    async fn subscribe(&self) -> Result<Subscription<E>> {
        Ok(Subscription::local(self.told.subscribe()))
    }

    async fn join(&self, group: &str, from_oldest: bool) -> Result<()> {
        let mut state = lock(&self.state);
        let events = if from_oldest { state.kept.clone() } else { VecDeque::new() };
        state.groups.entry(group.to_owned()).or_insert_with(|| Waiting {
            events,
            given: BTreeMap::new(),
            dead: VecDeque::new(),
        });
        Ok(())
    }

    async fn fetch(&self, group: &str) -> Result<Vec<Delivery<E>>> {
        let next = self.with(group, |waiting| {
            let (id, event) = waiting.events.pop_front()?;
            waiting.given.insert(id, event.clone());
            Some((id, event))
        });
        let delivery = |(id, event): (u64, Arc<E>)| Delivery {
            id: EventId(id.to_string()),
            event: Ok(event),
            raw: Vec::new(),
            times: 1,
        };
        Ok(next.flatten().map(delivery).into_iter().collect())
    }

    /// What a task was given waits again when it ends.
    async fn claim(&self, _group: &str, _silent: Duration) -> Result<Option<Delivery<E>>> {
        Ok(None)
    }

    async fn keep(&self, _group: &str, _ids: &[EventId]) {}

    fn abandon(&self, group: &str, ids: &[EventId]) {
        self.wait_again(group, ids.iter().filter_map(number));
    }

    async fn give_back(&self, group: &str, deliveries: Vec<Delivery<E>>, _silent: Duration) {
        self.wait_again(group, deliveries.iter().filter_map(|delivery| number(&delivery.id)));
    }

    async fn acknowledge(&self, group: &str, id: &EventId) -> Result<()> {
        drop(number(id).and_then(|id| self.with(group, |waiting| waiting.given.remove(&id))));
        Ok(())
    }

    async fn bury(&self, group: &str, delivery: &Delivery<E>, reason: &str) -> Result<()> {
        let (Some(id), Ok(event)) = (number(&delivery.id), &delivery.event) else { return Ok(()) };
        let letter = Letter { id, event: event.clone(), reason: reason.to_owned() };
        drop(self.with(group, |waiting| (waiting.given.remove(&id), push(&mut waiting.dead, letter, DEAD))));
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
        let letters = self.with(group, |waiting| {
            let first = waiting.dead.iter().take(count);
            first.map(|dead| (dead.id, dead.event.clone(), dead.reason.clone())).collect::<Vec<_>>()
        });
        let letter = |(id, event, reason): (u64, Arc<E>, String)| DeadEvent {
            id: EventId(id.to_string()),
            event: Some(E::clone(&event)),
            reason,
        };
        Ok(letters.unwrap_or_default().into_iter().map(letter).collect())
    }

    async fn replay(&self, group: &str, id: &EventId, retained: u64) -> Result<bool> {
        let id = number(id);
        let find = |waiting: &mut Waiting<E>| {
            waiting.dead.iter().find(|dead| Some(dead.id) == id).map(|dead| dead.event.clone())
        };
        let Some(event) = self.with(group, find).flatten() else { return Ok(false) };
        self.append(event, retained);
        Ok(true)
    }

    async fn discard(&self, group: &str, id: &EventId) -> Result<bool> {
        let id = number(id);
        let removed = self.with(group, |waiting| {
            let place = waiting.dead.iter().position(|dead| Some(dead.id) == id)?;
            waiting.dead.remove(place)
        });
        Ok(removed.flatten().is_some())
    }
}
