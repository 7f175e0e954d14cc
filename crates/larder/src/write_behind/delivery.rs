//! Giving a batch to the sink.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};

use super::{
    queue_state::Shared,
    sink::{Failed, FailedItem, Sink},
    write::Batch,
};
use crate::panic_guard::report;

/// What is to be done with writes that are about to be given to the sink.
pub(super) enum Admission {
    Write,
    /// As often as may be, the sink was given this one by itself, and the process ended.
    GiveUp,
    /// That cannot be known now.
    Later,
}

/// What became of a batch.
pub(super) enum Delivered {
    /// All of it is written, but these.
    Written(BTreeMap<usize, FailedItem>),
    /// Nothing of it, as far as is known.
    Failed(String),
}

/// Aborts its task when dropped.
struct Aborted<R>(JoinHandle<R>);

impl<R> Drop for Aborted<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the sink write a batch, in a task of its own, once what it was given before has ended. Dropping the future aborts it.
pub(super) async fn deliver<T: Send + Sync + 'static>(
    shared: &Shared<T>,
    sink: &Arc<dyn Sink<T>>,
    batch: Batch<T>,
) -> Delivered {
    let (count, deadline) = (batch.len(), shared.options.deadline);
    let turn = shared.at_sink.clone().lock_owned().await;
    let sink = sink.clone();
    let mut task = Aborted(tokio::spawn(async move {
        let _turn = turn;
        sink.write(batch).await.map_err(|error| error.0)
    }));
    let in_time = timeout(deadline, &mut task.0).await.ok();
    let is_late = in_time.is_none();
    let ended = match in_time {
        Some(ended) => ended,
        None => broken_off(&shared.options.name, &mut task.0, deadline).await,
    };
    match ended {
        Err(error) if error.is_panic() => Delivered::Failed("the sink panicked".to_owned()),
        Err(_) if is_late => {
            Delivered::Failed(format!("the sink took longer than its deadline of {deadline:?}"))
        }
        Err(_) => Delivered::Failed("the sink's task was cancelled".to_owned()),
        Ok(Ok(())) => Delivered::Written(BTreeMap::new()),
        Ok(Err(Failed::Batch(reason))) => Delivered::Failed(reason),
        Ok(Err(Failed::Items(items))) => of_items(items, count),
    }
}

/// Aborts a sink and waits for its end: one that blocks its thread goes on until it lets go of that, and would write after
/// what is written next.
async fn broken_off<R>(queue: &str, task: &mut JoinHandle<R>, patience: Duration) -> Result<R, JoinError> {
    task.abort();
    if let Ok(ended) = timeout(patience, &mut *task).await {
        return ended;
    }
    report!(
        warn,
        queue,
        "the sink of a write-behind queue was broken off and still runs, since it blocks its thread: nothing is written until it ends"
    );
    task.await
}

/// A sink that says of each write that it failed says the same of the batch.
fn of_items(items: Vec<FailedItem>, count: usize) -> Delivered {
    let known = items.into_iter().filter(|item| item.index < count);
    let items: BTreeMap<_, _> = known.map(|item| (item.index, item)).collect();
    let first = items.values().next().map(|item| item.reason.clone());
    match first {
        Some(reason) if items.len() == count && items.values().all(|item| !item.rejected) => {
            Delivered::Failed(reason)
        }
        _ => Delivered::Written(items),
    }
}
