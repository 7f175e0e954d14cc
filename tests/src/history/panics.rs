//! A subscriber of traces that panics now and then, on the threads on which the library reads and appends.

use std::thread;

use tracing::{Event, Metadata, Subscriber, span};

/// The variable that has a worker install it.
pub const VARIABLE: &str = "LARDER_HISTORY_PANICS";

/// See the module's documentation.
#[derive(Debug)]
pub struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let is_log = thread::current().name().is_some_and(|name| name.starts_with("larder-log"));
        assert!(!is_log || fastrand::bool(), "on purpose, at an event of {}", event.metadata().target());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
