//! Tasks that many callers wait for at once: beginning generations, and looking at the counter.
//!
//! They run in the background, some at a time. Those who come while so many are under way wait for the next one together; a
//! caller that goes away ends nothing.

use std::{collections::HashSet, sync::Arc};

use larder::ScopeHash;
use tokio::sync::watch;

use super::{
    Store,
    together::{Next, Together},
};
use crate::stamp::Stamp;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Generations begin: see [`Store::begin_now`].
    Begin,
    /// The counter is looked at: see [`Store::look`].
    Look,
}

impl Store {
    /// Waits for a task that begins after this call. Gives what the counter was during it; none if that is not known.
    pub(super) async fn together(
        self: &Arc<Self>,
        task: Task,
        scopes: impl IntoIterator<Item = ScopeHash>,
    ) -> Option<Stamp> {
        let mut outcome = {
            let mut next = self.tasks(task).next();
            // Where the runtime has ended, so has what ran in it.
            if next.as_ref().is_some_and(|next| next.outcome.has_changed().is_err()) {
                *next = None;
            }
            let next = next.get_or_insert_with(|| self.start(task));
            next.scopes.extend(scopes);
            next.outcome.clone()
        };
        *outcome.wait_for(Option::is_some).await.ok()?
    }

    fn tasks(&self, task: Task) -> &Together {
        match task {
            Task::Begin => &self.beginning,
            Task::Look => &self.looking,
        }
    }

    fn start(self: &Arc<Self>, task: Task) -> Next {
        let (tell, outcome) = watch::channel(None);
        let store = self.clone();
        self.runtime.spawn(async move {
            let tasks = store.tasks(task);
            let _running = tasks.running.acquire().await.expect("it is never closed");
            let scopes = tasks.next().take().map(|next| next.scopes).unwrap_or_default();
            let seen = match task {
                Task::Begin => store.begin_now(scopes.into_iter().collect()).await,
                Task::Look => store.look().await.ok(),
            };
            if let Some(seen) = seen {
                store.saw(seen);
                tell.send_replace(Some(seen));
            }
        });
        Next { scopes: HashSet::new(), outcome }
    }
}
