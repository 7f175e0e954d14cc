//! For how long this process is the one that consumes.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::store::Store;
use crate::clock::boot_time::Instant;

/// The time from taking the lease to its loss. It is counted from when each renewal was *sent*, so that this process
/// never believes longer than the server that the lease is its own, also if the machine slept.
pub(super) struct Term {
    /// Until when the lease lasts; none once it is lost.
    until: watch::Receiver<Option<Instant>>,
    renewal: AbortHandle,
}

impl Term {
    /// Of a lease that was asked for at `asked`, and is renewed three times in its time.
    pub(super) fn begin<T: 'static>(store: &Arc<dyn Store<T>>, asked: Instant, lease: Duration) -> Self {
        let (sender, until) = watch::channel(Some(asked.after(lease)));
        let renewal = tokio::spawn(renew(store.clone(), sender, lease));
        Self { until, renewal: renewal.abort_handle() }
    }

    pub(super) fn is_over(&self) -> bool {
        self.until.borrow().is_none_or(|until| until <= Instant::now())
    }

    /// Returns when it is over.
    pub(super) async fn over(&self) {
        /// Timers stand still while the machine sleeps: the clock is looked at so often.
        const SLICE: Duration = Duration::from_millis(100);
        let mut until = self.until.clone();
        loop {
            let Some(end) = *until.borrow_and_update() else { return };
            let left = end.since(Instant::now());
            if left.is_zero() {
                return;
            }
            if let Ok(Err(_)) = timeout(left.min(SLICE), until.changed()).await {
                // There is no renewal any more.
                sleep(left.min(SLICE)).await;
            }
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew<T>(store: Arc<dyn Store<T>>, until: watch::Sender<Option<Instant>>, lease: Duration) {
    loop {
        sleep(lease / 3).await;
        let asked = Instant::now();
        match store.renew().await {
            Ok(true) => _ = until.send_replace(Some(asked.after(lease))),
            Ok(false) => {
                until.send_replace(None);
                return;
            }
            // It goes on trying: the lease may last until the server is back.
            Err(_) => {}
        }
    }
}
