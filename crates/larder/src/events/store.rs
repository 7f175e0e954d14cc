//! What carries events of one kind: memory, or Redis.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    event::{DeadEvent, EventId},
    subscription::Subscription,
};
use crate::error::Result;

/// An event that a group was given.
pub(super) struct Delivery<E> {
    pub(super) id: EventId,
    /// Or why it is none.
    pub(super) event: Result<Arc<E>, String>,
    /// How often it was given to a process of the group, this time included.
    pub(super) times: u64,
}

/// Carries events of one kind. All methods may be called by several tasks at once.
#[async_trait]
pub(super) trait Store<E>: Send + Sync {
    async fn publish(&self, event: &E, retained: u64) -> Result<EventId>;

    async fn broadcast(&self, event: &E) -> Result<()>;

    /// Those who are told from here on.
    async fn subscribe(&self) -> Result<Subscription<E>>;

    /// Makes a group, unless there is one.
    async fn join(&self, group: &str, from_oldest: bool) -> Result<()>;

    /// Takes events that no process of the group was given so far.
    async fn fetch(&self, group: &str) -> Result<Vec<Delivery<E>>>;

    /// Takes the oldest one about which a process was silent for so long.
    async fn claim(&self, group: &str, silent: Duration) -> Result<Option<Delivery<E>>>;

    /// Says that this process is at these.
    async fn keep(&self, group: &str, ids: &[EventId]);

    /// Gives these back, for others to take at once.
    async fn give_back(&self, group: &str, deliveries: Vec<Delivery<E>>, silent: Duration);

    async fn acknowledge(&self, group: &str, id: &EventId) -> Result<()>;

    /// Keeps it as a dead letter, and acknowledges it.
    async fn bury(&self, group: &str, delivery: &Delivery<E>, reason: &str) -> Result<()>;

    /// Returns when there may be something to fetch, and after a second in any case.
    async fn arrival(&self, group: &str);

    async fn dead(&self, group: &str, count: usize) -> Result<Vec<DeadEvent<E>>>;

    async fn discard(&self, group: &str, id: &EventId) -> Result<bool>;
}
