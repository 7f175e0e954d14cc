//! Waiting for a server, as long as the caller does.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use tokio::time::{Instant, timeout_at};

use super::{ServerLink, too_late::TooLate};
use crate::abandoned_request::abandonable_from;

impl ServerLink {
    /// What comes of a request that begins and ends then. If the caller goes away before that, having waited in vain, this
    /// is called. The request is pinned where it lies: it is large, and would be copied on its way here.
    pub(super) async fn answered_by<F: Future>(
        &self,
        (begun, deadline): (Instant, Instant),
        request: Pin<&mut F>,
        abandoned: impl FnOnce(),
    ) -> Result<F::Output, TooLate> {
        let request = abandonable_from(begun.into_std(), self.config.deadline, request, abandoned);
        let mut request = pin!(request.looking_again());
        let answer = timeout_at(deadline, request.as_mut()).await;
        let answer = answer.map_err(|_| TooLate { in_vain: request.is_in_vain() });
        request.settle();
        answer
    }

    /// A caller has gone away after it had waited for this connection in vain: the same as a deadline that is over, except
    /// that no caller is there to note it.
    pub(super) fn abandoned(self: &Arc<Self>, line: usize, generation: u64) {
        self.note_abandoned();
        self.failed(line, generation);
    }

    pub(super) fn note_abandoned(&self) {
        if !self.is_replica() {
            self.config.findings.recent_timeout.note();
        }
    }
}
