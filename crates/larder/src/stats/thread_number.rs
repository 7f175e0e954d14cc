//! Numbers of threads.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });

/// A small number of the thread that runs: for what threads share in parts, so that they seldom meet.
#[inline]
pub(crate) fn thread_number() -> usize {
    // Not `with`, whose closure the compiler does not take apart on the path of a hit.
    match NUMBER.get() {
        usize::MAX => number_this_thread(),
        known => known,
    }
}

#[cold]
fn number_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    NUMBER.set(number);
    number
}
