//! What the handles of a queue and its consumer share.

use std::sync::{Arc, atomic::AtomicU64};

use tokio::sync::{Mutex, Notify};

use super::{options::Options, stats::Figures, store::Store};

/// What is asked of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// To write all there is at once, and to end.
    Draining,
    /// To end after the batch under way.
    Over,
}

pub(super) struct Shared<T> {
    pub(super) store: Arc<dyn Store<T>>,
    pub(super) options: Options<T>,
    pub(super) figures: Figures,
    /// Tells the consumer to look.
    pub(super) wake: Notify,
    /// How many callers wait for all to be written.
    pub(super) hurries: AtomicU64,
    /// Held by what the sink is doing, also after it was broken off, until it has ended.
    pub(super) at_sink: Arc<Mutex<()>>,
    /// What is asked when no handle is left: what is in memory would be lost, and what is in Redis is not.
    pub(super) without_handle: Phase,
}
