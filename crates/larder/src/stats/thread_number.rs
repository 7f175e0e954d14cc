//! Numbers of threads.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A small number of the thread that runs: for what threads share in parts, so that they seldom meet.
#[inline]
pub(crate) fn thread_number() -> usize {
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
    NUMBER.with(|number| match number.get() {
        usize::MAX => {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            number.get()
        }
        known => known,
    })
}
