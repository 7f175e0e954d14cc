//! Waiting for a future on a thread, which is blocked meanwhile.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// A thread that waits.
struct Parked {
    thread: Thread,
    /// A thread has one permit to go on, which a future that was waited for inside of this one may have used up.
    is_woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// The output of a future that needs no runtime: it waits for other threads alone.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parked = Arc::new(Parked { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(parked.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !parked.is_woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    /// Pending once; another thread wakes it after a while.
    async fn woken_later() {
        let mut is_first = true;
        poll_fn(|context| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                waker.wake();
            });
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn a_thread_is_woken() {
        block_on(woken_later());
    }

    #[test]
    fn what_is_waited_for_inside_takes_no_wake_up_away() {
        let mut is_first = true;
        block_on(poll_fn(|context| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            block_on(woken_later());
            Poll::Pending
        }));
    }
}
