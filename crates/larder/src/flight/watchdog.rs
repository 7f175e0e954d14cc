//! Wakes those who wait for a computation that is abandoned.
//!
//! A thread, and no timer of a runtime: not every runtime has timers, not every caller has a runtime, and one
//! that is not driven is what is watched for. It sleeps while nobody waits for anything.

use std::{
    sync::{Arc, Condvar, PoisonError, Weak},
    thread,
    time::Duration,
};

use super::Flight;
use crate::{
    foreign,
    sync::plain::{Mutex, lock},
};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(100);

struct Watchdog {
    flights: Vec<Weak<Flight>>,
    runs: bool,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog { flights: Vec::new(), runs: false });
static CALLED: Condvar = Condvar::new();

/// Looks after a flight that somebody waits for, until it has ended.
pub(super) fn look_after(flight: &Arc<Flight>) {
    let mut watchdog = lock(&WATCHDOG);
    watchdog.flights.push(Arc::downgrade(flight));
    if watchdog.runs {
        let asleep = watchdog.flights.len() == 1;
        drop(watchdog);
        if asleep {
            CALLED.notify_one();
        }
        return;
    }
    watchdog.runs = true;
    drop(watchdog);
    if thread::Builder::new().name("larder-watchdog".into()).spawn(run).is_err() {
        // The next one tries again; and whoever comes later looks at the flight too.
        lock(&WATCHDOG).runs = false;
    }
}

fn run() {
    loop {
        let mut watchdog = lock(&WATCHDOG);
        while watchdog.flights.is_empty() {
            watchdog = CALLED.wait(watchdog).unwrap_or_else(PoisonError::into_inner);
        }
        drop(watchdog);
        thread::sleep(PAUSE);
        let mut flights = std::mem::take(&mut lock(&WATCHDOG).flights);
        flights.retain(|flight| {
            let Some(flight) = flight.upgrade() else { return false };
            let goes_on = flight.wake_if_abandoned();
            // Perhaps the last one who has it: then a value goes with it.
            let _ = foreign::contain(|| drop(flight));
            goes_on
        });
        lock(&WATCHDOG).flights.append(&mut flights);
    }
}
