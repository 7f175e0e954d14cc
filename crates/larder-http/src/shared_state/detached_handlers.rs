//! Handlers that go on without a client: how many, and when the last one has ended.

use tokio::sync::watch;

/// The number of handlers that go on without a client.
#[derive(Debug)]
pub(crate) struct DetachedHandlers(watch::Sender<usize>);

impl Default for DetachedHandlers {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl DetachedHandlers {
    /// Counts one more, until the result is dropped; none if `most` go on already.
    pub(crate) fn enter(&self, most: usize) -> Option<DetachedPlace> {
        let entered = self.0.send_if_modified(|count| {
            let has_place = *count < most;
            *count += usize::from(has_place);
            has_place
        });
        entered.then(|| DetachedPlace(self.0.clone()))
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until there is none.
    pub(crate) async fn none_left(&self) {
        let mut count = self.0.subscribe();
        // An error means that the sender is gone, which `self` is.
        let _ = count.wait_for(|&count| count == 0).await;
    }
}

/// One of the handlers that go on without a client.
#[derive(Debug)]
pub(crate) struct DetachedPlace(watch::Sender<usize>);

impl Drop for DetachedPlace {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
