//! `CacheEvents`: what happens in a cache, for one reader.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{
    cache_core::Core,
    cache_events::{CacheEvent, Listener},
};

/// The events of a cache from the call of [`CacheExt::events`](crate::CacheExt::events) on. Dropping it ends them.
///
/// It is a [`Stream`] that does not end. A reader that is more than 4,096 events behind loses the oldest of them, and finds
/// an [`CacheEvent::Lagged`] in their place: no call of the cache ever waits for a reader.
pub struct CacheEvents {
    listener: Arc<Listener>,
    core: Core,
}

impl CacheEvents {
    pub(crate) fn of(core: &Core) -> Self {
        Self { listener: core.events().add(|watched| core.watch(watched)), core: core.clone() }
    }

    /// The next event; waits until there is one. Dropping the future loses none.
    pub fn recv(&mut self) -> impl Future<Output = CacheEvent> + Send {
        poll_fn(|context| self.listener.poll(context))
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<CacheEvent> {
        self.listener.take()
    }
}

impl Stream for CacheEvents {
    type Item = CacheEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<CacheEvent>> {
        self.listener.poll(context).map(Some)
    }
}

impl Drop for CacheEvents {
    fn drop(&mut self) {
        self.core.events().remove(&self.listener, |watched| self.core.watch(watched));
    }
}

impl fmt::Debug for CacheEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheEvents").finish_non_exhaustive()
    }
}
