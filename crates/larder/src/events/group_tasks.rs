//! What the tasks of a group share.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::watch;

use crate::error::Result;

#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) group: String,
    pub(super) attempts: u32,
    pub(super) deadline: Duration,
    pub(super) claim_after: Duration,
    pub(super) from_oldest: bool,
}

/// What the tasks of a group share.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) options: Arc<Options>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) figures: Arc<Figures>,
}

impl Running {
    /// Waits until so many tasks have made their group, or one could not.
    pub(super) async fn joined(&self, tasks: usize) -> Result<()> {
        let mut joins = self.figures.joins.subscribe();
        let settled = |joins: &Joins| joins.made >= tasks || joins.failure.is_some();
        let joins = joins.wait_for(settled).await.map(|joins| joins.clone()).unwrap_or_default();
        joins.failure.map_or(Ok(()), Err)
    }
}

pub(super) struct Figures {
    pub(super) handled: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) claimed: AtomicU64,
    pub(super) joins: watch::Sender<Joins>,
}

impl Default for Figures {
    fn default() -> Self {
        let [handled, failures, dead, claimed] = [(); 4].map(|()| AtomicU64::new(0));
        Self { handled, failures, dead, claimed, joins: watch::Sender::new(Joins::default()) }
    }
}

#[derive(Clone, Default)]
pub(super) struct Joins {
    pub(super) made: usize,
    pub(super) failure: Option<crate::Error>,
}
