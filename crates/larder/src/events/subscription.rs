//! Events as they are published, each received at most once.

use std::{fmt, marker::PhantomData, sync::Arc};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::{drop_later, value::AnyValue};
#[cfg(feature = "redis")]
use crate::{redis::events::Subscriber, value::Value, wire::Wire};

/// An event that is published in this process. Its `Drop` is the user's, and does not run where a lock of the channel is held.
pub(super) struct Told(Option<Box<AnyValue>>);

impl Told {
    pub(super) fn new(event: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(event)))
    }

    fn event<E: 'static>(&self) -> Option<&E> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(event) = self.0.take() {
            drop_later::drop_value(&"an event".into(), event);
        }
    }
}

/// Hears of events at most once: those that are [broadcast](super::Events::broadcast) while it is there and connected.
pub struct Subscription<E> {
    source: Source<E>,
    missed: u64,
}

enum Source<E> {
    Local(broadcast::Receiver<Arc<Told>>, PhantomData<fn() -> E>),
    /// And how bytes become an event.
    #[cfg(feature = "redis")]
    Redis(Subscriber, fn(&[u8]) -> Option<E>),
}

impl<E: Clone + Send + Sync + 'static> Subscription<E> {
    pub(super) fn local(receiver: broadcast::Receiver<Arc<Told>>) -> Self {
        Self { source: Source::Local(receiver, PhantomData), missed: 0 }
    }

    #[cfg(feature = "redis")]
    pub(super) fn redis(subscriber: Subscriber) -> Self
    where
        E: Value,
    {
        let decode = |bytes: &[u8]| Wire::default().decode_queued(bytes).ok();
        Self { source: Source::Redis(subscriber, decode), missed: 0 }
    }

    /// The next event. It waits for one, also while Redis is away: it connects again by itself. None when in memory the last
    /// [`Events`](super::Events) is gone.
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<E> {
        loop {
            match &mut self.source {
                Source::Local(receiver, _) => match receiver.recv().await {
                    Ok(event) => match event.event::<E>() {
                        Some(event) => return Some(event.clone()),
                        None => self.missed += 1,
                    },
                    Err(RecvError::Lagged(missed)) => self.missed += missed,
                    Err(RecvError::Closed) => return None,
                },
                #[cfg(feature = "redis")]
                Source::Redis(subscriber, decode) => match subscriber.next().await {
                    Some(bytes) => match decode(&bytes) {
                        Some(event) => return Some(event),
                        None => self.missed += 1,
                    },
                    None => self.missed += 1,
                },
            }
        }
    }

    /// How much is known to have been missed: in memory, events for which this was too slow; on Redis, how often there was no
    /// connection for a while; on both, what was no event of this type.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

impl<E> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("missed", &self.missed).finish_non_exhaustive()
    }
}
