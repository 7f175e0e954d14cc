//! Wakes those who wait for a computation that is abandoned.
//!
//! A thread, and no timer of a runtime: not every runtime has timers, not every caller has a runtime, and one
//! that is not driven is what is watched for. It sleeps while there are no waiters.

use std::{
    sync::{Arc, Condvar, PoisonError, Weak},
    thread,
    time::Duration,
};

use super::in_flight::InFlight;
use crate::{
    own_thread::OwnThread,
    panic_guard,
    sync::plain::{Mutex, lock},
};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(100);

struct Watchdog {
    in_flight: Vec<Weak<InFlight>>,
    thread: OwnThread,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog { in_flight: Vec::new(), thread: OwnThread::NONE });
static CALLED: Condvar = Condvar::new();

/// Looks after a computation that has waiters, until it has ended.
pub(super) fn look_after(in_flight: &Arc<InFlight>) {
    let mut watchdog = lock(&WATCHDOG);
    watchdog.in_flight.push(Arc::downgrade(in_flight));
    if !watchdog.thread.is_missing() {
        let asleep = watchdog.in_flight.len() == 1;
        drop(watchdog);
        if asleep {
            CALLED.notify_one();
        }
        return;
    }
    drop(watchdog);
    if thread::Builder::new().name("larder-watchdog".into()).spawn(run).is_err() {
        // The next one tries again; and each later caller looks at the computation too.
        lock(&WATCHDOG).thread.failed();
    }
}

fn run() {
    loop {
        let mut watchdog = lock(&WATCHDOG);
        while watchdog.in_flight.is_empty() {
            watchdog = CALLED.wait(watchdog).unwrap_or_else(PoisonError::into_inner);
        }
        drop(watchdog);
        thread::sleep(PAUSE);
        let mut in_flight = std::mem::take(&mut lock(&WATCHDOG).in_flight);
        in_flight.retain(|in_flight| {
            let Some(in_flight) = in_flight.upgrade() else { return false };
            let goes_on = in_flight.wake_if_abandoned();
            // Perhaps the last one who has it: then a value goes with it.
            let _ = panic_guard::contain(|| drop(in_flight));
            goes_on
        });
        lock(&WATCHDOG).in_flight.append(&mut in_flight);
    }
}
