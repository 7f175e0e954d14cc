//! Values that must not be dropped where they are.
//!
//! A value's `Drop` is its author's code: it may call the cache that it lay in, and it may panic. A store drops what it
//! no longer keeps while it holds its locks, or whenever it next reclaims memory, in any call of any thread. So whatever
//! would be dropped there is put aside, and dropped at the end of the next call, of whichever cache, under no lock.
//! The table of entries hands back what it no longer keeps: that is dropped at once, unless the call was made by a
//! value's `Drop` itself.

use std::{
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    entry::Stored,
    sync::plain::{Mutex, lock},
};

/// How often one call looks for more: what is dropped may store values, in whose place others go.
const ROUNDS: usize = 64;

static ASIDE: Mutex<Vec<Stored>> = Mutex::new(Vec::new());

/// How many lie there, so that most calls need not take the lock.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Gives up an entry. If it has no other owner, its value is dropped later.
pub(crate) fn defer(entry: Arc<Stored>) {
    if let Some(last) = Arc::into_inner(entry) {
        put_aside(last);
    }
}

fn put_aside(entry: Stored) {
    let mut aside = lock(&ASIDE);
    aside.push(entry);
    WAITING.store(aside.len(), Ordering::Release);
}

/// Gives up an entry where no lock is held. If it has no other owner, its value is dropped now; or later, if a value is
/// being dropped on this thread: they would nest without end.
pub(crate) fn drop_last(entry: Arc<Stored>) {
    let Some(last) = Arc::into_inner(entry) else { return };
    if BUSY.replace(true) {
        put_aside(last);
    } else {
        drop(last);
        BUSY.set(false);
        drop(DropDeferred);
    }
}

thread_local! {
    /// Whether a value is being dropped here.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Drops what was set aside when it is dropped itself: at the end of a call, whatever becomes of that, and after the
/// store of a cache is gone.
pub(crate) struct DropDeferred;

impl Drop for DropDeferred {
    fn drop(&mut self) {
        if WAITING.load(Ordering::Acquire) != 0 {
            drop_aside();
        }
    }
}

#[cold]
fn drop_aside() {
    // A call from within a value's `Drop` leaves the rest to the call outside of it, or they would nest without end.
    if BUSY.replace(true) {
        return;
    }
    for _ in 0..ROUNDS {
        let aside = {
            let mut aside = lock(&ASIDE);
            WAITING.store(0, Ordering::Release);
            mem::take(&mut *aside)
        };
        if aside.is_empty() {
            break;
        }
        for stored in aside {
            let key = stored.key.clone();
            // The caller has nothing to do with this value.
            if catch_unwind(AssertUnwindSafe(|| drop(stored))).is_err() {
                let warn = || tracing::warn!(key = &*key, "the `Drop` of a cached value panicked");
                // Nor with what a subscriber does.
                _ = catch_unwind(AssertUnwindSafe(warn));
            }
        }
    }
    BUSY.set(false);
}
