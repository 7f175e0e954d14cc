//! Limits of time for what may run where a runtime has no timers, or where there is no runtime: kept by a thread, which
//! sleeps while there are none.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Condvar, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    clock::instant_after,
    own_thread::OwnThread,
    panic_guard,
    sync::plain::{Mutex, lock},
};

/// How often it looks, and so how exact a limit is.
const PAUSE: Duration = Duration::from_millis(5);

struct Alarms {
    /// By their ends, and numbers.
    waiting: BTreeMap<(Instant, u64), Waker>,
    given: u64,
    thread: OwnThread,
    asleep: bool,
}

static ALARMS: Mutex<Alarms> =
    Mutex::new(Alarms { waiting: BTreeMap::new(), given: 0, thread: OwnThread::NONE, asleep: false });
static CALLED: Condvar = Condvar::new();

/// The output of a future; none if it takes longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut alarm = Alarm { end: instant_after(limit), number: None };
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if alarm.is_over(context) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// One who waits. None does any more when this is dropped.
struct Alarm {
    end: Instant,
    /// Once it is known to the thread.
    number: Option<u64>,
}

impl Alarm {
    /// Whether its time has come; otherwise it wakes then.
    fn is_over(&mut self, context: &Context<'_>) -> bool {
        if self.end <= Instant::now() {
            return true;
        }
        let waker = context.waker().clone();
        let mut alarms = lock(&ALARMS);
        let is_new = self.number.is_none();
        let number = *self.number.get_or_insert_with(|| {
            alarms.given += 1;
            alarms.given
        });
        let old = alarms.waiting.insert((self.end, number), waker);
        let is_missing = is_new && alarms.thread.is_missing();
        let asleep = std::mem::take(&mut alarms.asleep);
        drop(alarms);
        // Foreign code, under no lock.
        drop(old);
        if asleep {
            CALLED.notify_one();
        }
        if is_missing && thread::Builder::new().name("larder-alarm".to_owned()).spawn(run).is_err() {
            // The next one tries again; until then this one looks whenever it is polled.
            lock(&ALARMS).thread.failed();
        }
        false
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = self.number.and_then(|number| lock(&ALARMS).waiting.remove(&(self.end, number)));
        drop(waker);
    }
}

fn run() {
    loop {
        let due = {
            let mut alarms = lock(&ALARMS);
            while alarms.waiting.is_empty() {
                alarms.asleep = true;
                alarms = CALLED.wait(alarms).unwrap_or_else(PoisonError::into_inner);
            }
            let later = alarms.waiting.split_off(&(Instant::now(), u64::MAX));
            std::mem::replace(&mut alarms.waiting, later)
        };
        panic_guard::wake_all(due.into_values());
        thread::sleep(PAUSE);
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::block_on::block_on;

    #[test]
    fn a_limit_needs_no_runtime() {
        assert_eq!(block_on(within(Duration::MAX, ready(1))), Some(1));
        for limit in [Duration::ZERO, Duration::from_millis(20)] {
            let begun = Instant::now();
            assert_eq!(block_on(within(limit, pending::<()>())), None);
            assert!(begun.elapsed() >= limit);
        }
    }
}
