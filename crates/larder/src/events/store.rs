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
    /// What carried it, names and values, where that is bytes: there may be more in them than this release reads.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only servers carry bytes"))]
    pub(super) raw: Vec<(Vec<u8>, Vec<u8>)>,
    /// How often it was given to a process of the group, this time included.
    pub(super) times: u64,
}

/// Carries events of one kind. All methods may be called by several tasks at once.
#[async_trait]
pub(super) trait Store<E>: Send + Sync {
    async fn publish(&self, event: &E, retained: u64) -> Result<EventId>;

    async fn broadcast(&self, event: &E) -> Result<()>;

    /// Subscribers from here on.
    async fn subscribe(&self) -> Result<Subscription<E>>;

    /// Makes a group, unless there is one.
    async fn join(&self, group: &str, from_oldest: bool) -> Result<()>;

    /// Takes events that no process of the group was given so far.
    async fn fetch(&self, group: &str) -> Result<Vec<Delivery<E>>>;

    /// Takes the oldest one about which a process was silent for so long.
    async fn claim(&self, group: &str, silent: Duration) -> Result<Option<Delivery<E>>>;

    /// Says that this process is at these.
    async fn keep(&self, group: &str, ids: &[EventId]);

    /// The task that was given these has ended, and has settled none of them: others take them, where that is known no other
    /// way.
    fn abandon(&self, group: &str, ids: &[EventId]);

    /// Gives these back, for others to take at once.
    async fn give_back(&self, group: &str, deliveries: Vec<Delivery<E>>, silent: Duration);

    async fn acknowledge(&self, group: &str, id: &EventId) -> Result<()>;

    /// Keeps it as a dead letter, as it was carried, and acknowledges it.
    async fn bury(&self, group: &str, delivery: &Delivery<E>, reason: &str) -> Result<()>;

    /// Returns when there may be something to fetch, and after a second in any case.
    async fn arrival(&self, group: &str);

    async fn dead(&self, group: &str, count: usize) -> Result<Vec<DeadEvent<E>>>;

    /// Publishes a dead letter again, as it was carried; says whether it was there. It stays.
    async fn replay(&self, group: &str, id: &EventId, retained: u64) -> Result<bool>;

    async fn discard(&self, group: &str, id: &EventId) -> Result<bool>;
}
