//! Log messages about a link.

use std::sync::atomic::Ordering::AcqRel;

use super::ServerLink;

impl ServerLink {
    /// Warns that it is unavailable, unless that was said.
    pub(super) fn report_down(&self, reason: &str) {
        if self.is_replica() {
            if !self.reported_down.swap(true, AcqRel) {
                crate::panic_guard::report!(
                    warn,
                    server = self.name(),
                    reason,
                    "a replica of redis cannot be read from: its master is"
                );
            }
        } else if self.is_down_now() {
            crate::panic_guard::report!(warn, server = self.name(), reason, "redis is unavailable");
        }
    }

    /// Notes that it was logged. Returns whether that is news.
    pub(super) fn is_down_now(&self) -> bool {
        let is_news = !self.reported_down.swap(true, AcqRel);
        if is_news {
            self.config.findings.reported_down(&self.name());
        }
        is_news
    }

    pub(super) fn report_up(&self) {
        if !self.reported_down.swap(false, AcqRel) {
            return;
        }
        if self.is_replica() {
            crate::panic_guard::report!(info, server = self.name(), "a replica of redis is read from again");
        } else {
            self.config.findings.reported_up(&self.name());
            crate::panic_guard::report!(info, server = self.name(), "redis is available again");
        }
    }
}

impl Drop for ServerLink {
    fn drop(&mut self) {
        if *self.reported_down.get_mut() && !self.is_replica() {
            self.config.findings.no_longer_down();
        }
    }
}
