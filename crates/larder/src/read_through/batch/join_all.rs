//! Futures that run side by side in one task. Only those are polled that were woken: with all of them at each wake, the
//! work would be quadratic in their number.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::plain::{Mutex, lock};

/// What is to be polled, and the task that does so.
#[derive(Default)]
struct Woken {
    state: Mutex<WokenState>,
}

#[derive(Default)]
struct WokenState {
    indices: Vec<usize>,
    task: Option<Waker>,
}

/// Wakes one of the futures.
struct WakesOne {
    index: usize,
    /// It is among those to be polled already.
    is_woken: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for WakesOne {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = lock(&self.woken.state);
            state.indices.push(self.index);
            state.task.take()
        };
        // The executor's code, under no lock.
        task.into_iter().for_each(Waker::wake);
    }
}

/// The outputs of futures, in their order.
pub(super) async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let woken = Arc::new(Woken::default());
    let mut running: Vec<_> = futures
        .enumerate()
        .map(|(index, future)| {
            let wakes = WakesOne { index, is_woken: AtomicBool::new(true), woken: woken.clone() };
            (Some((Box::pin(future), Arc::new(wakes))), None)
        })
        .collect();
    let mut left = running.len();
    lock(&woken.state).indices = (0..left).collect();
    poll_fn(|context| {
        let indices = {
            let mut state = lock(&woken.state);
            let before = state.task.replace(context.waker().clone());
            let indices = std::mem::take(&mut state.indices);
            drop(state);
            drop(before);
            indices
        };
        for index in indices {
            let (future, output) = &mut running[index];
            let Some((polled, wakes)) = future else { continue };
            // Before the poll: who wakes it during that has it polled once more.
            wakes.is_woken.store(false, Ordering::Release);
            let waker = Waker::from(wakes.clone());
            if let Poll::Ready(ready) = polled.as_mut().poll(&mut Context::from_waker(&waker)) {
                (*future, *output) = (None, Some(ready));
                left -= 1;
            }
        }
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::{cell::Cell, time::Duration};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn only_what_was_woken_is_polled() {
        const MANY: usize = 5_000;
        let (polls, done) = (Cell::new(0_usize), Cell::new(0));
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..MANY).map(|_| oneshot::channel()).unzip();
        let futures = receivers.into_iter().map(|receiver: oneshot::Receiver<usize>| {
            let (mut receiver, polls, done) = (Box::pin(receiver), &polls, &done);
            poll_fn(move |context| {
                polls.set(polls.get() + 1);
                receiver.as_mut().poll(context).map(|output| {
                    done.set(done.get() + 1);
                    output.unwrap()
                })
            })
        });
        let send = async {
            for (number, sender) in senders.into_iter().enumerate().rev() {
                sender.send(number).unwrap();
                if number % 10 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let (outputs, ()) = tokio::join!(join_all(futures), send);
        assert_eq!(outputs, (0..MANY).collect::<Vec<_>>(), "in their order");
        // Each once at first, and once when it was woken; and where a task has used up its budget, once more.
        assert!(polls.get() <= 4 * MANY, "{} polls", polls.get());
    }

    /// From another thread, in the middle of a poll, and twice.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_is_lost() {
        let futures = (0..200_u64).map(|number| async move {
            tokio::task::yield_now().await;
            let sent = tokio::spawn(async move { number }).await.unwrap();
            tokio::time::sleep(Duration::from_millis(number % 3)).await;
            tokio::task::yield_now().await;
            sent
        });
        let joined = tokio::time::timeout(Duration::from_secs(60), join_all(futures)).await;
        assert_eq!(joined.expect("it ends"), (0..200).collect::<Vec<_>>());
        assert!(join_all(std::iter::empty::<std::future::Ready<()>>()).await.is_empty());
    }
}
