//! Giving a batch to the sink.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    sink::{Failed, FailedItem, Sink},
    write::Batch,
};

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
struct Aborted<R>(tokio::task::JoinHandle<R>);

impl<R> Drop for Aborted<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the sink write a batch, in a task of its own. Dropping the future aborts it.
pub(super) async fn deliver<T: Send + Sync + 'static>(
    sink: &Arc<dyn Sink<T>>,
    batch: Batch<T>,
    deadline: Duration,
) -> Delivered {
    let count = batch.len();
    let sink = sink.clone();
    let mut task = Aborted(tokio::spawn(async move { sink.write(batch).await.map_err(|error| error.0) }));
    match tokio::time::timeout(deadline, &mut task.0).await {
        Err(_) => Delivered::Failed(format!("the sink took longer than its deadline of {deadline:?}")),
        Ok(Err(error)) if error.is_panic() => Delivered::Failed("the sink panicked".to_owned()),
        Ok(Err(_)) => Delivered::Failed("the sink's task was cancelled".to_owned()),
        Ok(Ok(Ok(()))) => Delivered::Written(BTreeMap::new()),
        Ok(Ok(Err(Failed::Batch(reason)))) => Delivered::Failed(reason),
        Ok(Ok(Err(Failed::Items(items)))) => of_items(items, count),
    }
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
